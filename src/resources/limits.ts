/** How large the objects may be that clients create, and the requests that create them. */
import { tooLarge } from "./errors.ts";

/** Half of what Cosmos DB takes: the batch that ends a run holds the run beside a message. Bytes. */
export const MAX_OBJECT_BYTES = 1_000_000;

/** Additional messages are created in one batch with their run. Bytes. */
export const MAX_ADDITIONAL_BYTES = 800_000;

/** Of one output of a function, as in the original. Characters. */
export const MAX_TOOL_OUTPUT = 1_048_576;

/** Of all outputs that are submitted together, as in the original. Bytes. */
export const MAX_TOOL_OUTPUT_BYTES = 512 * 1024;

/** Outputs that are submitted together: 128 tools, each called four times. */
export const MAX_TOOL_CALLS = 512;

/** A client may write each character beyond ASCII as \uXXXX: six bytes for what is stored as two. */
const LONGEST_SPELLING = 3;

/** Of a body that creates or changes one object: an object of the largest size fits, however it is spelt. Bytes. */
export const MAX_BODY = LONGEST_SPELLING * MAX_OBJECT_BYTES;

/**
 * Of a body that changes metadata: 16 pairs of 576 characters, each spelt with twelve bytes, and room for ids. Bytes.
 */
export const MAX_METADATA_BODY = 200_000;

/** Of a body that creates a run with additional messages. Bytes. */
export const MAX_RUN_BODY = LONGEST_SPELLING * (MAX_OBJECT_BYTES + MAX_ADDITIONAL_BYTES);

/** Of a body that creates a thread. It bounds what one request may cost; more messages are added one by one. Bytes. */
export const MAX_THREAD_BODY = 8_000_000;

/** Of a body that creates a thread and a run. Bytes. */
export const MAX_THREAD_AND_RUN_BODY = MAX_THREAD_BODY + MAX_BODY;

/** Of any body: 128 tools with more than 200 values each. It bounds the time that parsing and checking take. */
export const MAX_BODY_VALUES = 30_000;

/**
 * Of the objects of one list together: a longer one is answered with fewer than its limit, and `has_more`. Twenty
 * messages, as many as a list has by default, fit whatever 256,000 ASCII characters each of them has. Bytes of JSON.
 */
export const MAX_LIST_BYTES = 8_000_000;

/** Throws the 400 for an object that is too large; `param` is the request's parameter to blame. */
export function assertStorable(object: object, param: string | null): void {
  const bytes = sizeOf(object);
  if (bytes > MAX_OBJECT_BYTES) throw tooLarge(param, bytes, MAX_OBJECT_BYTES);
}

/** Throws the 400 for messages that are too large to be created in one batch with their run. */
export function assertStorableTogether(objects: object[], param: string): void {
  const bytes = objects.reduce((sum, object) => sum + sizeOf(object), 0);
  if (bytes > MAX_ADDITIONAL_BYTES) throw tooLarge(param, bytes, MAX_ADDITIONAL_BYTES);
}

/** Of a value as the JSON that is stored. Bytes. */
export const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
