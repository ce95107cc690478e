/** How much of a list one page takes. */
import { expect, test } from "vitest";
import { MAX_LIST_BYTES } from "../../../src/resources/limits.ts";
import { takePage } from "../../../src/store/lists.ts";

/** Documents of so many bytes each, and how many of them were asked for. */
function listOf(bytes: number[]) {
  let read = 0;
  function* docs() {
    for (const size of bytes) {
      read += 1;
      yield "x".repeat(size - '""'.length);
    }
  }
  return { docs: docs(), read: () => read };
}

const MOST = MAX_LIST_BYTES;

test.each([
  ["none", [], 0, false],
  ["fewer than its limit", [10, 10], 2, false],
  ["as many as its limit", [10, 10, 10], 3, false],
  ["more than its limit", [10, 10, 10, 10], 3, true],
  ["as many bytes as a list may have", [MOST - 10, 10], 2, false],
  ["one byte more", [MOST - 10, 11], 1, true],
  ["one that is larger than a list may be", [MOST + 1], 1, false],
  ["two of these", [MOST + 1, MOST + 1], 1, true],
])("of %s", async (_, sizes, taken, hasMore) => {
  const list = listOf(sizes);
  const page = await takePage(list.docs, 3);
  expect([page.docs.length, page.hasMore]).toEqual([taken, hasMore]);
  // What does not fit is not read, but for the first of it.
  expect(list.read()).toBe(taken + (hasMore ? 1 : 0));
});
