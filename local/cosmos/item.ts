import { badRequest } from "./errors.ts";
import { pathSegments } from "./indexing.ts";
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

export const MAX_ITEM_BYTES = 2 * 1024 * 1024;
const MAX_ID_LENGTH = 1023;

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
  if (id.length > MAX_ID_LENGTH) throw badRequest(`The id is longer than ${MAX_ID_LENGTH} characters.`);
  if (/[/\\?#]/.test(id)) throw badRequest("The id contains an illegal character: '/', '\\', '?' or '#'.");
  if (ttl !== undefined && ttl !== null && !isTimeToLive(ttl)) {
    throw badRequest("The input ttl is invalid. Ensure to provide a nonzero positive integer, or -1.");
  }
  return Object.assign(body, { id });
}

export const isTimeToLive = (ttl: Value): ttl is number =>
  typeof ttl === "number" && Number.isInteger(ttl) && (ttl === -1 || ttl > 0);
