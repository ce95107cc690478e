/** How large the objects may be that clients create. */
import { tooLarge } from "./errors.ts";

/** Half of what Cosmos DB takes: the batch that ends a run holds the run beside a message. Bytes. */
export const MAX_OBJECT_BYTES = 1_000_000;

/** Additional messages are created in one batch with their run. Bytes. */
export const MAX_ADDITIONAL_BYTES = 800_000;

/** Throws the 400 for an object that is too large; `param` is the request's parameter to blame. */
export function assertStorable(object: object, param: string | null): void {
  const bytes = jsonBytes(object);
  if (bytes > MAX_OBJECT_BYTES) throw tooLarge(param, bytes, MAX_OBJECT_BYTES);
}

/** Throws the 400 for messages that are too large to be created in one batch with their run. */
export function assertStorableTogether(objects: object[], param: string): void {
  const bytes = objects.reduce((sum, object) => sum + jsonBytes(object), 0);
  if (bytes > MAX_ADDITIONAL_BYTES) throw tooLarge(param, bytes, MAX_ADDITIONAL_BYTES);
}

const jsonBytes = (object: object) => Buffer.byteLength(JSON.stringify(object));
