import { expect, test } from "vitest";
import { Heartbeat } from "../../../src/runs/heartbeat.ts";

/** A beat that lasts until it is told to end. */
function slowBeat() {
  let beats = 0;
  let end = () => {};
  let begun = () => {};
  const first = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const beat = () => {
    beats += 1;
    begun();
    return new Promise<void>((resolve) => {
      end = resolve;
    });
  };
  return { beat, first, end: () => end(), count: () => beats };
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
};

test("a beat that takes long is not joined by another", async () => {
  const slow = slowBeat();
  const heartbeat = new Heartbeat(1, slow.beat);
  await slow.first;
  await turns(5);
  expect(slow.count()).toBe(1);
  slow.end();
  await heartbeat.stop();
});

test("stopping waits for the beat under way, and no other follows", async () => {
  const slow = slowBeat();
  const heartbeat = new Heartbeat(1, slow.beat);
  await slow.first;
  let stopped = false;
  const stopping = heartbeat.stop().then(() => {
    stopped = true;
  });
  await turns(3);
  expect(stopped).toBe(false);
  slow.end();
  await stopping;
  await turns(3);
  expect(slow.count()).toBe(1);
});

test("it beats again and again until it is stopped", async () => {
  let beats = 0;
  await new Promise<void>((resolve) => {
    const heartbeat = new Heartbeat(1, async () => {
      beats += 1;
      if (beats === 3) void heartbeat.stop().then(resolve);
    });
  });
  expect(beats).toBe(3);
});
