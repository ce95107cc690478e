import type { IncomingHttpHeaders } from "node:http";
import { badRequest, unsupported } from "./errors.ts";
import { type PartitionKey, partitionKey } from "./item.ts";

/** Headers that this server acts on. */
const UNDERSTOOD = [
  "x-ms-date",
  "x-ms-documentdb-partitionkey",
  "x-ms-documentdb-partitionkeyrangeid",
  "x-ms-documentdb-isquery",
  "x-ms-documentdb-is-upsert",
  "x-ms-cosmos-is-query-plan-request",
  "x-ms-cosmos-is-batch-request",
  "x-ms-cosmos-batch-atomic",
  "x-ms-cosmos-batch-continue-on-error",
  "x-ms-max-item-count",
  "x-ms-continuation",
  "x-ms-offer-throughput",
  "x-ms-cosmos-offer-autopilot-settings",
  "x-ms-start-epk",
  "x-ms-end-epk",
  "x-ms-read-key-type",
  "x-ms-consistency-level",
  "x-ms-session-token",
];

/** Headers that the SDKs send and that change nothing here: hints and telemetry. */
const HARMLESS = [
  "x-ms-activity-id",
  "x-ms-client-request-id",
  "x-ms-cosmos-allow-cachedreads",
  "x-ms-cosmos-allow-tentative-writes",
  "x-ms-cosmos-correlated-activityid",
  "x-ms-cosmos-populateindexmetrics-v2",
  "x-ms-cosmos-query-version",
  "x-ms-cosmos-sdk-supportedcapabilities",
  "x-ms-cosmos-supported-query-features",
  "x-ms-dedicatedgateway-bypass-cache",
  "x-ms-dedicatedgateway-max-age",
  "x-ms-documentdb-populatequerymetrics",
  "x-ms-documentdb-populatequotainfo",
  "x-ms-documentdb-query-emit-traces",
  "x-ms-documentdb-query-enable-scan",
  "x-ms-documentdb-query-enablecrosspartition",
  "x-ms-documentdb-query-parallelizecrosspartitionquery",
  "x-ms-documentdb-responsecontinuationtokenlimitinkb",
  "x-ms-force-refresh",
  "x-ms-throttle-retry-count",
  "x-ms-throttle-retry-wait-time-ms",
  "x-ms-useragent",
  "x-ms-version",
];

const KNOWN = new Set([...UNDERSTOOD, ...HARMLESS]);

/** Refuses, by name, every header that could mean something that this server would not do. */
export function checkHeaders(headers: IncomingHttpHeaders): void {
  for (const name of Object.keys(headers)) {
    if (name.startsWith("x-ms-") && !KNOWN.has(name)) throw unsupported(`the request header ${name}`);
  }
}

export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export const isTrue = (headers: IncomingHttpHeaders, name: string) => header(headers, name)?.toLowerCase() === "true";

/** `["a",1]`; an object in the array is a property that the item does not have. Throws 400. */
export function parsePartitionKey(text: string): PartitionKey {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    values = undefined;
  }
  if (!Array.isArray(values))
    throw badRequest("The partition key supplied in x-ms-documentdb-partitionkey is invalid.");
  return partitionKey(
    values.map((value: unknown) => {
      if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
        return value;
      return undefined;
    }),
  );
}

export function partitionKeyHeader(headers: IncomingHttpHeaders): PartitionKey | undefined {
  const text = header(headers, "x-ms-documentdb-partitionkey");
  return text === undefined ? undefined : parsePartitionKey(text);
}

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;

/** How many items a page may have; -1 leaves it to the service. */
export function pageSize(headers: IncomingHttpHeaders): number {
  const wanted = Number(header(headers, "x-ms-max-item-count") ?? DEFAULT_PAGE);
  if (wanted === -1) return LARGEST_PAGE;
  if (!Number.isInteger(wanted) || wanted <= 0)
    throw badRequest("x-ms-max-item-count must be -1 or a positive integer.");
  return Math.min(wanted, LARGEST_PAGE);
}
