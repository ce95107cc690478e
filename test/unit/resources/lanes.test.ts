/** Work on many items, so many at a time. */
import { expect, test } from "vitest";
import { inLanes } from "../../../src/resources/lanes.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("so many are under way at the most; the results come in the order of the items", async () => {
  let underWay = 0;
  let most = 0;
  const work = async (item: number) => {
    most = Math.max(most, ++underWay);
    for (let left = 10 - item; left > 0; left--) await turn();
    underWay -= 1;
    return -item;
  };
  expect(await inLanes(3, [0, 1, 2, 3, 4, 5, 6, 7], work)).toEqual([-0, -1, -2, -3, -4, -5, -6, -7]);
  expect(most).toBe(3);
  expect(await inLanes(3, [], work)).toEqual([]);
});

test("the first failure stops what is under way, begins nothing more, and is thrown when all is over", async () => {
  const begun: number[] = [];
  let isOver = false;
  const work = async (item: number, stop: AbortSignal) => {
    begun.push(item);
    if (item === 1) throw new Error("broken");
    while (!stop.aborted) await turn();
    await turn();
    isOver = true;
    throw new Error("stopped");
  };
  await expect(inLanes(2, [0, 1, 2, 3], work)).rejects.toThrow("broken");
  expect([begun, isOver]).toEqual([[0, 1], true]);
});

test("a signal stops all work", async () => {
  const work = async (_: number, stop: AbortSignal) => {
    while (!stop.aborted) await turn();
    stop.throwIfAborted();
  };
  const stopping = new AbortController();
  const done = inLanes(2, [0, 1, 2], work, stopping.signal);
  stopping.abort(new Error("enough"));
  await expect(done).rejects.toThrow("enough");
});
