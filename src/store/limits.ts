/** What fits into the store: Cosmos DB takes 2 MB a document and 2 MB and 100 writes a transaction. */
import { tooLarge } from "../resources/errors.ts";
import type { Doc } from "./documents.ts";

/** Cosmos DB's own limit is 100. */
export const MAX_BATCH_WRITES = 100;

/** Cosmos DB's own limit is 2 MB, with what surrounds the writes. Bytes. */
export const MAX_BATCH_BYTES = 1_900_000;

/** Half of what Cosmos DB takes: the batch that ends a run holds the run beside a message. Bytes. */
const MAX_DOCUMENT_BYTES = 1_000_000;

/** Additional messages are created in one batch with their run. Bytes. */
const MAX_ADDITIONAL_BYTES = 800_000;

/** Throws the 400 for an object that is too large; `param` is the request's parameter to blame. */
export function assertStorable(doc: Doc, param: string | null): void {
  const bytes = sizeOf(doc);
  if (bytes > MAX_DOCUMENT_BYTES) throw tooLarge(param, bytes, MAX_DOCUMENT_BYTES);
}

export function assertStorableTogether(docs: Doc[], param: string): void {
  const bytes = docs.reduce((sum, doc) => sum + sizeOf(doc), 0);
  if (bytes > MAX_ADDITIONAL_BYTES) throw tooLarge(param, bytes, MAX_ADDITIONAL_BYTES);
}

export const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
