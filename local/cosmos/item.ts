import { badRequest } from "./errors.ts";
import { pathSegments } from "./indexing.ts";
import { checkDepth, checkId, isTimeToLive } from "./limits.ts";
import { isObject, type JsonObject, type Path, type Value, valueAt } from "./sql/values.ts";

/** One version of a stored item. Never changed: a write makes a new one. */
export interface Item {
  id: string;
  /** Order of creation in the container; a replaced item keeps it. */
  sequence: number;
  /** Order of writes in the container. */
  lsn: number;
  etag: string;
  body: JsonObject;
  /** The body as text, as it is sent. */
  json: string;
  bytes: number;
  indexedPaths: number;
  /** Unix seconds from which on the item is gone; 0 for never. */
  expiresAt: number;
  partition: PartitionKey;
}

/** `undefined` among the values is an item without that property ("None" in the SDKs). */
export interface PartitionKey {
  values: Value[];
  text: string;
}

export function partitionKey(values: Value[]): PartitionKey {
  return { values, text: JSON.stringify(values.map((value) => (value === undefined ? {} : value))) };
}

export const partitionPaths = (paths: string[]): Path[] => paths.map(pathSegments);

/** The key that an item's own properties give it; throws 400 when one is an array or object. */
export function partitionKeyOf(body: JsonObject, paths: readonly Path[]): PartitionKey {
  const values = paths.map((path) => {
    const value = valueAt(body, path);
    if (value !== null && typeof value === "object") {
      throw badRequest(`The partition key /${path.join("/")} must be a string, number, boolean or null.`);
    }
    return value;
  });
  return partitionKey(values);
}

/** Checks what a client sends as an item; throws 400 in the words of the service. */
export function checkedBody(body: Value): JsonObject & { id: string } {
  if (!isObject(body)) throw badRequest("The request payload is invalid. Ensure to provide a valid JSON object.");
  const { id, ttl } = body;
  if (typeof id !== "string" || id === "") {
    throw badRequest("The input content is invalid because the required properties - 'id; ' - are missing");
  }
  checkId(id);
  checkDepth(body);
  if (ttl !== undefined && ttl !== null && !isTimeToLive(ttl)) {
    throw badRequest(
      "The input ttl is invalid. Ensure to provide a nonzero positive integer less than or equal to '2147483647', " +
        "or -1.",
    );
  }
  return Object.assign(body, { id });
}
