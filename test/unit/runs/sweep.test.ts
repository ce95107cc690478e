import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SweepMemory } from "../../../src/jobs/sweep-memory.ts";
import { QUEUE } from "../../../src/jobs/wake-ups.ts";
import { sweep } from "../../../src/runs/sweep.ts";
import { threadKey } from "../../../src/store/documents.ts";
import { runDoc } from "../documents.ts";
import { type EngineWorld, startEngineWorld } from "./engine-world.ts";

const MINUTE = 60_000;
const TICK = 15_000;
const ticksIn = (minutes: number) => (minutes * MINUTE) / TICK;

let world: EngineWorld;
/** Ahead of the clock, so that a test's runs are overdue; each test begins later than the last one ended. */
let now = Math.ceil(Date.now() / MINUTE) * MINUTE + 60 * MINUTE;
beforeAll(async () => {
  world = await startEngineWorld();
});
afterAll(() => world.stop());

/** So many overdue runs, each due a second after the one before; what removes them again. */
async function overdueRuns(count: number) {
  const tenant = randomUUID();
  const runs = Array.from({ length: count }, (_, index) => `run_${tenant}_${index}`);
  const partition = world.engine.store.thread(tenant, "thread");
  for (const [index, id] of runs.entries()) {
    const run = runDoc({ id }, { tenant, due: now - 1_000_000 + index * 1_000 });
    await partition.batch([{ put: { ...run, pk: threadKey(tenant, "thread") } }]);
  }
  const remove = () => Promise.all(runs.map((id) => partition.delete(id)));
  return { runs, partition, remove };
}

const waking = () => world.queue.entity(QUEUE)?.messages.size ?? 0;

/** What a sweep sends, which Service Bus keeps unless it is a duplicate. */
async function sent(limit: number, memory: SweepMemory): Promise<number> {
  const before = waking();
  await sweep({ ...world.engine, now: () => now }, limit, memory);
  now += TICK;
  return waking() - before;
}

test("a run whose wake-up was lost gets its turn, however many runs are more overdue", async () => {
  const { remove } = await overdueRuns(5);
  const memory = new SweepMemory();
  expect([await sent(3, memory), await sent(3, memory)]).toEqual([3, 2]);
  await remove();
});

test("while there are too many for one sweep, those that were woken are left alone for five minutes", async () => {
  const { remove } = await overdueRuns(5);
  const memory = new SweepMemory();
  let before = 0;
  for (let tick = 0; tick < ticksIn(5); tick++) before += await sent(3, memory);
  expect(before).toBe(5);
  let after = 0;
  for (let tick = 0; tick < 4; tick++) after += await sent(3, memory);
  expect(after).toBe(5);
  await remove();
});

test("but not one whose due time has changed: a worker has looked at it meanwhile", async () => {
  const { runs, partition, remove } = await overdueRuns(4);
  const memory = new SweepMemory();
  for (const expected of [3, 1, 0]) expect(await sent(3, memory)).toBe(expected);
  now += MINUTE;
  await partition.batch([{ patch: runs[3] ?? "", set: { "/internal/due": now - 10_000 } }]);
  expect([await sent(3, memory), await sent(3, memory)]).toEqual([1, 0]);
  await remove();
});

test("nor one whose wake-up Service Bus did not take", async () => {
  const { remove } = await overdueRuns(4);
  const memory = new SweepMemory();
  world.queue.faults.replace([{ fault: "send-error", rate: 1 }]);
  for (const expected of [0, 0]) expect(await sent(3, memory)).toBe(expected);
  world.queue.faults.replace([]);
  expect([await sent(3, memory), await sent(3, memory)]).toEqual([3, 1]);
  await remove();
});

test("where one sweep takes all that is overdue, each gets a wake-up a minute", async () => {
  const { remove } = await overdueRuns(2);
  const memory = new SweepMemory();
  now = Math.ceil(now / MINUTE) * MINUTE;
  let all = 0;
  for (let tick = 0; tick < ticksIn(3); tick++) all += await sent(10, memory);
  expect(all).toBe(6);
  await remove();
});
