import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { purgeJob, purgeOf } from "../../../src/jobs/wake-ups.ts";
import { sweep } from "../../../src/runs/sweep.ts";
import { handleWakeUp } from "../../../src/runs/worker.ts";
import { type DeletedThreadDoc, deletedSort, dueOfMark, threadKey } from "../../../src/store/documents.ts";
import { deleteThread } from "../../../src/threads/delete.ts";
import { type StoredThread, startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
beforeEach(() => world.cosmos.setFaults([]));
afterAll(() => world.stop());

const HOUR = 3_600_000;

const remove = ({ tenant, id }: StoredThread) =>
  deleteThread(world.app.store, world.app.wakeUps, tenant, id, world.app.now());

/** What a worker does with the next wake-up; how many documents it deleted. */
async function slice(thread: StoredThread): Promise<number> {
  const body = await world.receive();
  expect(purgeOf(body)).toMatchObject({ thread: thread.id });
  const before = await thread.count();
  await handleWakeUp(world.engine, body);
  return before - (await thread.count());
}

async function dueOf({ partition, id }: StoredThread): Promise<number> {
  const mark = await partition.read<DeletedThreadDoc>(id);
  if (mark === undefined) throw new Error("the mark is gone");
  return dueOfMark(mark);
}

const unitsSoFar = () => Object.values(world.app.cost.report()).reduce((sum, { units }) => sum + units, 0);

const sweepLater = () => sweep({ ...world.engine, now: () => Date.now() + HOUR }, 100);

describe("a purge", () => {
  test("is done in slices of 500 documents, each with a later due time", async () => {
    const thread = await world.thread(1_010);
    await remove(thread);
    const before = await dueOf(thread);
    const units = unitsSoFar();
    expect(await slice(thread)).toBe(500);
    // With what the test itself asks.
    expect(unitsSoFar() - units).toBeLessThan(3_500);
    expect(await dueOf(thread)).toBeGreaterThan(before);
    expect(await slice(thread)).toBe(500);
    // The last ten, and the mark.
    expect(await slice(thread)).toBe(11);
    expect(await world.receive(100)).toBeUndefined();
  });

  test("deletes few documents at a time if they are large", async () => {
    const thread = await world.thread(18, "0123456789 words\n".repeat(15_000));
    await remove(thread);
    expect(await slice(thread)).toBe(14);
    expect(await slice(thread)).toBe(4 + 1);
    expect(await thread.count()).toBe(0);
  });

  test("of a small thread takes a read, a query and a batch", async () => {
    const thread = await world.thread(5);
    await remove(thread);
    const body = await world.receive();
    const before = world.app.cost.report();
    await handleWakeUp(world.engine, body);
    const after = world.app.cost.report();
    const requests = Object.entries(after).map(([name, { requests: n }]) => [name, n - (before[name]?.requests ?? 0)]);
    expect(Object.fromEntries(requests.filter(([, n]) => n !== 0))).toEqual({
      "docs.read": 1,
      "docs.query": 1,
      "docs.batch": 1,
    });
    expect(await thread.count()).toBe(0);
  });

  test("leaves a thread alone that was not deleted, and one that another wake-up is for", async () => {
    const living = await world.thread(2);
    await handleWakeUp(world.engine, purgeJob(living.tenant, living.id, 0));
    expect(await living.count()).toBe(3);
    const deleted = await world.thread(2);
    await remove(deleted);
    await handleWakeUp(world.engine, purgeJob(deleted.tenant, deleted.id, (await dueOf(deleted)) - 1));
    expect(await deleted.count()).toBe(3);
    await world.purge(deleted);
  });

  test("that comes twice at the same moment ends once, with nothing left", async () => {
    const thread = await world.thread(600);
    await remove(thread);
    const body = await world.receive();
    await Promise.all([1, 2, 3].map(() => handleWakeUp(world.engine, body)));
    await world.purge(thread);
    expect(await world.receive(1_200)).toBeUndefined();
  });

  test("that meets a store over its throughput ends, and is left to the sweep", async () => {
    const thread = await world.thread(3);
    await remove(thread);
    const due = await dueOf(thread);
    const body = await world.receive();
    world.cosmos.setFaults([{ fault: "429", operations: ["batch"], ms: 1 }]);
    await handleWakeUp(world.engine, body);
    world.cosmos.setFaults([]);
    expect(await thread.count()).toBe(4);
    expect(await dueOf(thread)).toBe(due);
    expect(await world.receive(100)).toBeUndefined();
    await sweepLater();
    await world.purge(thread);
  });

  test("goes on where a worker died: what is gone is gone, and the sweep finds the rest", async () => {
    const thread = await world.thread(250);
    await remove(thread);
    const body = await world.receive();
    // The first batches are done; the last, with the mark, gets nowhere.
    const last = { operations: ["batch" as const], containing: [`"operationType":"Delete","id":"${thread.id}"`] };
    world.cosmos.setFaults([{ fault: "503", ...last }]);
    await handleWakeUp(world.engine, body);
    world.cosmos.setFaults([]);
    expect(await thread.count()).toBe(250 - 2 * 99 + 1);
    await sweepLater();
    await world.purge(thread);
  });

  test("understands the mark that an older build wrote", async () => {
    const { tenant, id, partition, ...thread } = await world.thread(2);
    const internal = { tenant, due: world.app.now() } as unknown as DeletedThreadDoc["internal"];
    const mark: DeletedThreadDoc = { id, pk: threadKey(tenant, id), kind: "deleted_thread", internal };
    await partition.batch([{ put: mark }]);
    await sweepLater();
    await world.purge({ tenant, id, partition, ...thread });
  });
});

describe("the sweep", () => {
  test("only sends, and once a minute for each mark", async () => {
    const thread = await world.thread(3);
    await remove(thread);
    await world.receive();
    const now = Math.ceil(Date.now() / 60_000) * 60_000 + HOUR;
    for (const second of [0, 15, 30, 45]) await sweep({ ...world.engine, now: () => now + second * 1_000 }, 100);
    expect(await thread.count()).toBe(4);
    const body = await world.receive();
    expect(purgeOf(body)).toMatchObject({ thread: thread.id });
    expect(await world.receive(100)).toBeUndefined();
    await handleWakeUp(world.engine, body);
    expect(await thread.count()).toBe(0);
  });

  test("finds an overdue run however many marks are overdue, and a mark however many runs", async () => {
    const [run, other, mark, mark2] = await Promise.all([1, 2, 3, 4].map(() => world.thread(0)));
    if (!run || !other || !mark || !mark2) throw new Error("four threads were created");
    const now = Date.now() + HOUR;
    for (const { partition, id } of [run, other]) {
      await partition.batch([{ patch: id, set: { "/internal/due": 1, "/internal/tenant": "t", "/kind": "run" } }]);
    }
    for (const { tenant, id, partition } of [mark, mark2]) {
      const internal = { tenant, sort: deletedSort(1) };
      await partition.batch([{ put: { id, pk: threadKey(tenant, id), kind: "deleted_thread", internal } }]);
    }
    await sweep({ ...world.engine, now: () => now }, 1);
    const kinds = [await world.receive(), await world.receive()].map((body) => purgeOf(body)?.kind ?? "run");
    expect(kinds.toSorted()).toEqual(["purge", "run"]);
    for (const { partition, id } of [run, other, mark, mark2]) await partition.delete(id);
  });

  test("wakes runs although the marks cannot be read, and tells of the trouble", async () => {
    const thread = await world.thread(0);
    const set = { "/internal/due": 1, "/internal/tenant": "t", "/kind": "run", "/thread_id": thread.id };
    await thread.partition.batch([{ patch: thread.id, set }]);
    world.cosmos.setFaults([{ fault: "503", operations: ["query"], containing: ["c.internal.sort > @above"] }]);
    await expect(sweepLater()).rejects.toThrow();
    world.cosmos.setFaults([]);
    // The wake-up tells of the trouble: a driver that met it, too, is given time to renew its lease.
    expect(await world.receive()).toEqual({ v: 1, tenant: "t", thread: thread.id, run: thread.id, tries: 1 });
    await thread.partition.delete(thread.id);
  });
});
