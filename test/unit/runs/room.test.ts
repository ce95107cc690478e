/** The images of all model calls of a process: no more at a time than there is room for, and each call gets its turn. */
import { expect, test } from "vitest";
import { Room } from "../../../src/resources/room.ts";

const never = new AbortController().signal;

/** What has been admitted so far, after all that could be has been. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("calls beyond the room wait, in their order, until others have ended", async () => {
  const room = new Room(100);
  const admitted: string[] = [];
  const take = (name: string, size: number) =>
    room.take(size, never).then((release) => {
      admitted.push(name);
      return release;
    });
  const [first, second] = [take("first", 60), take("second", 60)];
  const small = take("small", 10);
  await settled();
  // The small one would fit, but then the second might wait for ever.
  expect(admitted).toEqual(["first"]);
  const release = await first;
  release();
  release();
  await settled();
  expect(admitted).toEqual(["first", "second", "small"]);
  (await second)();
  (await small)();
  await take("whole", 100);
  expect(admitted).toEqual(["first", "second", "small", "whole"]);
});

test("a call that is stopped while it waits leaves its place to the others", async () => {
  const room = new Room(100);
  const stop = new AbortController();
  await room.take(60, never);
  const large = room.take(100, stop.signal);
  const small = room.take(40, never);
  stop.abort(new Error("stopped"));
  await expect(large).rejects.toThrow("stopped");
  await small;
  await expect(room.take(1, stop.signal)).rejects.toThrow("stopped");
});
