import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { overloaded } from "../../../src/resources/errors.ts";
import { sweep } from "../../../src/runs/sweep.ts";
import { handleWakeUp } from "../../../src/runs/worker.ts";
import { storeThread } from "../../../src/threads/create.ts";
import { draftThread } from "../../../src/threads/draft.ts";
import { readThread } from "../../../src/threads/read.ts";
import { startWorld, storedThread, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
beforeEach(() => world.cosmos.setFaults([]));
afterAll(() => world.stop());

/** One more than one batch has room for, with one word in each that no other has. */
const LARGE = 250;
const LAST = `message-${LARGE - 1}.`;

async function draft(messages: number) {
  const tenant = `t${Math.random()}`;
  const requests = Array.from({ length: messages }, (_, n) => ({ role: "user" as const, content: `message-${n}.` }));
  const { thread, messages: docs } = await draftThread(tenant, { messages: requests }, world.app.now());
  const store = () => storeThread(world.app.store, tenant, thread, docs, world.app.now);
  return { store, thread, ...storedThread(world.app, tenant, thread.id) };
}

const batches = () => world.app.cost.report()["docs.batch"]?.requests ?? 0;
const sweepIn = (seconds: number) => sweep({ ...world.engine, now: () => Date.now() + seconds * 1_000 }, 100);

describe("a new thread", () => {
  test.each([0, 5, 99])("with %i messages is one batch", async (messages) => {
    const thread = await draft(messages);
    const before = batches();
    await thread.store();
    expect(batches() - before).toBe(1);
    expect(await thread.count()).toBe(messages + 1);
  });

  test("with more messages than one batch holds is there in the end, without a mark", async () => {
    const thread = await draft(LARGE);
    await thread.store();
    expect(await readThread(thread.partition, thread.id)).toMatchObject(thread.thread);
    expect(await thread.count()).toBe(LARGE + 1);
    await sweepIn(3_600);
    expect(await world.receive(100)).toBeUndefined();
  });

  test("that was never finished is no thread; after a minute the sweep finds it, and everything goes", async () => {
    const thread = await draft(LARGE);
    world.cosmos.setFaults([{ fault: "503", operations: ["batch"], containing: [LAST] }]);
    await expect(thread.store()).rejects.toThrow();
    world.cosmos.setFaults([]);
    expect(await thread.count()).toBe(1 + 2 * 99);
    await expect(readThread(thread.partition, thread.id)).rejects.toThrow("No thread found");
    await sweepIn(30);
    expect(await world.receive(100)).toBeUndefined();
    await sweepIn(90);
    await world.purge(thread);
  });

  test("whose writer comes back after it was given up is refused, and nothing of it is left", async () => {
    const thread = await draft(LARGE);
    world.cosmos.setFaults([{ fault: "hold-before", operations: ["batch"], containing: [LAST] }]);
    const stored = thread.store();
    stored.catch(() => undefined);
    await expect.poll(() => world.cosmos.faults()[0]?.held).toBe(1);
    await sweepIn(90);
    await world.purge(thread);
    world.cosmos.setFaults([]);
    await expect(stored).rejects.toEqual(overloaded(1));
    expect(await thread.count()).toBe(0);
  });

  test("that is taken from its writer before it is purged stays refused: no thread lacks a part", async () => {
    const thread = await draft(LARGE);
    world.cosmos.setFaults([
      { fault: "hold-before", operations: ["batch"], containing: [LAST] },
      { fault: "503", operations: ["batch"], containing: ["Delete"] },
    ]);
    const stored = thread.store();
    stored.catch(() => undefined);
    await expect.poll(() => world.cosmos.faults()[0]?.held).toBe(1);
    await sweepIn(90);
    const body = await world.receive();
    // The worker takes the mark, and deletes nothing.
    await handleWakeUp(world.engine, body);
    world.cosmos.setFaults([]);
    await expect(stored).rejects.toEqual(overloaded(1));
    await sweepIn(180);
    await world.purge(thread);
  });
});
