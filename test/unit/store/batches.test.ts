import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inBatches } from "../../../src/store/batches.ts";
import type { Write } from "../../../src/store/writes.ts";
import { messageDoc } from "../documents.ts";

/** What the store takes in one transaction. */
const MAX_BATCH_WRITES = 100;
const MAX_BATCH_BYTES = 2_000_000;

const remove = (id: string): Write => ({ delete: id });
/** A write of about so many bytes. */
const write = (bytes: number): Write => remove("x".repeat(bytes));
const bytesOf = (writes: Write[]) => writes.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);

const batchesOf = (writes: Write[], maxWrites?: number) => [...inBatches(writes, maxWrites)];

describe("writes are put into batches", () => {
  test("none into none", () => {
    expect(batchesOf([])).toEqual([]);
  });

  test("a hundred into one, one more into the next", () => {
    const writes = (count: number) => Array.from({ length: count }, (_, i) => remove(`msg_${i}`));
    expect(batchesOf(writes(100)).map((batch) => batch.length)).toEqual([100]);
    expect(batchesOf(writes(101)).map((batch) => batch.length)).toEqual([100, 1]);
    expect(batchesOf(writes(250)).map((batch) => batch.length)).toEqual([100, 100, 50]);
  });

  test("with room in each for a write of the caller's, if it asks for that", () => {
    const writes = Array.from({ length: 100 }, (_, i) => remove(`msg_${i}`));
    expect(batchesOf(writes, 99).map((batch) => batch.length)).toEqual([99, 1]);
  });

  test("of no more than the store takes at a time", () => {
    const batches = batchesOf(Array.from({ length: 10 }, () => write(500_000)));
    expect(batches.map((batch) => batch.length)).toEqual([3, 3, 3, 1]);
  });

  test("counted in bytes, not in characters", () => {
    const japanese: Write = { create: messageDoc({ content: "あ".repeat(250_000) }) };
    expect(batchesOf([japanese, japanese, japanese]).map((batch) => batch.length)).toEqual([2, 1]);
  });

  test("a write that is too large by itself into one of its own", () => {
    const batches = batchesOf([write(10), write(MAX_BATCH_BYTES + 1), write(10)]);
    expect(batches.map((batch) => batch.length)).toEqual([1, 1, 1]);
  });

  test("one after the other, as they are asked for", () => {
    let sized = 0;
    const writes = Array.from({ length: 250 }, (): Write => {
      const doc = messageDoc({});
      const toJSON = () => {
        sized += 1;
        return {};
      };
      return { create: Object.assign(doc, { toJSON }) };
    });
    expect(inBatches(writes).next().value).toHaveLength(100);
    expect(sized).toBe(101);
  });

  test("in their order, none lost, each batch within both limits", () => {
    const small = { arbitrary: fc.nat(50), weight: 40 };
    const large = { arbitrary: fc.integer({ min: 0, max: 900_000 }), weight: 1 };
    const sizes = fc.array(fc.oneof(small, large), { maxLength: 250 });
    fc.assert(
      fc.property(sizes, (bytes) => {
        const writes = bytes.map((size, i) => remove(`${i}/${"x".repeat(size)}`));
        const batches = batchesOf(writes);
        expect(batches.flat()).toEqual(writes);
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(MAX_BATCH_WRITES);
          if (batch.length > 1) expect(bytesOf(batch)).toBeLessThanOrEqual(MAX_BATCH_BYTES);
        }
      }),
      { numRuns: 20 },
    );
  });
});
