/** Splits writes so that each batch keeps Cosmos DB's limits of number and size. */
import { sizeOf } from "../resources/limits.ts";
import { MAX_BATCH_BYTES, MAX_BATCH_WRITES } from "./limits.ts";
import type { Write } from "./writes.ts";

/**
 * In their order, each when it is asked for: to find the sizes of many large documents takes time, and other requests
 * get their turn while a batch is written. `maxWrites`: how many writes a batch may have, if the caller adds some of
 * its own to each.
 */
export function* inBatches(writes: Write[], maxWrites = MAX_BATCH_WRITES): Generator<Write[], undefined> {
  let batch: Write[] = [];
  let size = 0;
  for (const write of writes) {
    const bytes = sizeOf(write);
    if (batch.length > 0 && (batch.length >= maxWrites || size + bytes > MAX_BATCH_BYTES)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(write);
    size += bytes;
  }
  if (batch.length > 0) yield batch;
  return undefined;
}
