/** Who reads files next, of tenants with many and with few. */
import { expect, test } from "vitest";
import { Slots } from "../../../src/ingest/slots.ts";

/** As many places as there are to wait in. */
const PLACES = 8;

/** Two slots, which the greedy tenant has, and all places to wait in, which it has as well. */
async function flooded() {
  const slots = new Slots(2);
  expect(await slots.take("greedy")).toBe(true);
  expect(await slots.take("greedy")).toBe(true);
  const waiting = Array.from({ length: PLACES }, () => slots.take("greedy"));
  expect(await slots.take("greedy")).toBe(false);
  return { slots, waiting };
}

test("a tenant that has nothing comes before one that has all slots and all places to wait in", async () => {
  const { slots, waiting } = await flooded();
  expect(slots.isWantedFrom("greedy")).toBe(false);
  const quiet = slots.take("quiet");
  expect(await waiting.at(-1)).toBe(false);
  expect(slots.isWantedFrom("greedy")).toBe(true);
  slots.give("greedy");
  expect(await quiet).toBe(true);
  // Now each has one.
  expect(slots.isWantedFrom("greedy")).toBe(false);
  expect(slots.isWantedFrom("quiet")).toBe(false);
});

test("slots that are given back are taken by those that wait, in their order, and are free after that", async () => {
  const { slots, waiting } = await flooded();
  for (const each of waiting) {
    slots.give("greedy");
    expect(await each).toBe(true);
  }
  slots.give("greedy");
  slots.give("greedy");
  expect(await slots.take("quiet")).toBe(true);
  expect(await slots.take("greedy")).toBe(true);
});

test("who waits too long is told so, and gets no slot afterwards", async () => {
  const slots = new Slots(1);
  expect(await slots.take("greedy")).toBe(true);
  expect(await slots.take("quiet")).toBe(false);
  slots.give("greedy");
  expect(await slots.take("greedy")).toBe(true);
});
