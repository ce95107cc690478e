import { badRequest } from "./errors.ts";
import type { Value } from "./sql/values.ts";

/**
 * What the service refuses by size ("Azure Cosmos DB service quotas",
 * learn.microsoft.com/azure/cosmos-db/concepts-limits). Where that page says bytes, bytes of UTF-8 are counted.
 */

/** Of a request's body, whatever it is: a document, a batch, a query. */
export const MAX_REQUEST_BYTES = 2 * 1024 * 1024;
/** Of a stored document as JSON, with the properties that the service adds. */
export const MAX_ITEM_BYTES = 2 * 1024 * 1024;
export const MAX_BATCH_OPERATIONS = 100;
export const MAX_PATCH_OPERATIONS = 10;
const MAX_ID_BYTES = 1023;
const MAX_NAME_LENGTH = 255;
const MAX_KEY_BYTES = 2048;
/** Objects and arrays inside each other, the document itself included. */
const MAX_DEPTH = 128;
/** Some 68 years. */
const MAX_TIME_TO_LIVE = 2 ** 31 - 1;

const ILLEGAL = /[/\\?#]/;

/** Checks the id of a document; throws 400. */
export function checkId(id: string): void {
  if (Buffer.byteLength(id) > MAX_ID_BYTES) throw badRequest(`The id is longer than ${MAX_ID_BYTES} bytes.`);
  if (ILLEGAL.test(id)) throw badRequest("The id contains an illegal character: '/', '\\', '?' or '#'.");
}

/** The name of a database or container; throws 400. */
export function checkedName(name: Value, what: string): string {
  if (typeof name !== "string" || name === "" || ILLEGAL.test(name)) throw badRequest(`The ${what} needs a valid id.`);
  if (name.length > MAX_NAME_LENGTH) throw badRequest(`The id of a ${what} has at most ${MAX_NAME_LENGTH} characters.`);
  return name;
}

/** Throws 400 for a partition key whose texts are too long together. */
export function checkKey({ values }: { values: Value[] }): void {
  let bytes = 0;
  for (const value of values) if (typeof value === "string") bytes += Buffer.byteLength(value);
  if (bytes > MAX_KEY_BYTES) throw badRequest(`The partition key is longer than ${MAX_KEY_BYTES} bytes.`);
}

/** Throws 400 for a document with too many objects and arrays inside each other. */
export function checkDepth(document: Value): void {
  if (isDeeper(document, MAX_DEPTH)) {
    throw badRequest(`The document has more than ${MAX_DEPTH} levels of objects and arrays inside each other.`);
  }
}

function isDeeper(value: Value, most: number): boolean {
  if (value === null || typeof value !== "object") return false;
  if (most === 0) return true;
  if (Array.isArray(value)) return value.some((element) => isDeeper(element, most - 1));
  for (const name in value) if (isDeeper(value[name], most - 1)) return true;
  return false;
}

/** Seconds, or -1 for no end. */
export const isTimeToLive = (ttl: Value): ttl is number =>
  typeof ttl === "number" && Number.isInteger(ttl) && (ttl === -1 || (ttl > 0 && ttl <= MAX_TIME_TO_LIVE));
