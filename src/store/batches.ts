/** Splits writes so that each batch keeps Cosmos DB's limits of number and size. */
import { sizeOf } from "../resources/limits.ts";
import { MAX_BATCH_BYTES, MAX_BATCH_WRITES } from "./limits.ts";
import type { Write } from "./writes.ts";

/** In their order. `maxWrites`: how many writes a batch may have, if the caller adds some of its own to each. */
export function inBatches(writes: Write[], maxWrites = MAX_BATCH_WRITES): Write[][] {
  const batches: Write[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const write of writes) {
    const bytes = sizeOf(write);
    const current = batches.at(-1);
    if (current === undefined || current.length >= maxWrites || size + bytes > MAX_BATCH_BYTES) {
      batches.push([write]);
      size = bytes;
    } else {
      current.push(write);
      size += bytes;
    }
  }
  return batches;
}
