import { badRequest, unsupported } from "./errors.ts";
import { partitionPaths } from "./item.ts";
import { checkedName, isTimeToLive } from "./limits.ts";
import type { JsonObject, Path, Value } from "./sql/values.ts";

/** A container's settings as the client sent them, completed with the service's defaults. */
export interface Definition extends JsonObject {
  id: string;
}

const MAX_PARTITION_PATHS = 3;

const DEFAULT_INDEXING = {
  indexingMode: "consistent",
  automatic: true,
  includedPaths: [{ path: "/*" }],
  excludedPaths: [{ path: '/"_etag"/?' }],
};

export const SYSTEM_PROPERTIES: ReadonlySet<string> = new Set(["_rid", "_self", "_etag", "_attachments", "_ts"]);

export const pathsOf = (definition: Definition): string[] => {
  const { paths } = definition.partitionKey as { paths: string[] };
  return paths;
};

export const uniqueKeysOf = (definition: Definition): Path[][] => {
  const policy = definition.uniqueKeyPolicy as { uniqueKeys?: { paths: string[] }[] } | undefined;
  return (policy?.uniqueKeys ?? []).map(({ paths }) => partitionPaths(paths));
};

/** Checks a container's settings and fills in what the service would; throws 400. */
export function completed(given: JsonObject): Definition {
  const id = checkedName(given.id, "container");
  const partitionKey = given.partitionKey;
  const paths = (partitionKey as { paths?: Value } | undefined)?.paths;
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every((path) => typeof path === "string")) {
    throw badRequest("The container needs a partitionKey with paths.");
  }
  if (paths.length > MAX_PARTITION_PATHS) throw badRequest("Too many partition key paths specified; three at most.");
  const { defaultTtl } = given;
  if (defaultTtl !== undefined && defaultTtl !== null && !isTimeToLive(defaultTtl)) {
    throw badRequest("The defaultTtl must be -1 or a positive number of seconds.");
  }
  refuseUnsupportedSettings(given);
  const definition: Definition = { id };
  for (const [name, value] of Object.entries(given)) {
    if (!name.startsWith("_")) definition[name] = value;
  }
  definition.partitionKey = {
    kind: paths.length > 1 ? "MultiHash" : "Hash",
    version: 2,
    ...(partitionKey as JsonObject),
  };
  definition.indexingPolicy = { ...DEFAULT_INDEXING, ...(given.indexingPolicy as JsonObject | undefined) };
  return definition;
}

function refuseUnsupportedSettings(given: JsonObject): void {
  const indexing = (given.indexingPolicy ?? {}) as { indexingMode?: Value };
  if (
    typeof indexing.indexingMode === "string" &&
    !["consistent", "none"].includes(indexing.indexingMode.toLowerCase())
  ) {
    throw unsupported(`the indexing mode '${indexing.indexingMode}'`);
  }
  for (const name of ["clientEncryptionPolicy", "computedProperties", "changeFeedPolicy", "analyticalStorageTtl"]) {
    const value = given[name];
    if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)) {
      throw unsupported(`the container setting ${name}`);
    }
  }
}
