import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { noMessageFound, noThreadFound } from "../../../src/resources/errors.ts";
import { cancelRun, currentRun, submitToolOutputs } from "../../../src/runs/commands.ts";
import { handleWakeUp } from "../../../src/runs/worker.ts";
import type { Doc, MessageDoc, RunDoc } from "../../../src/store/documents.ts";
import { deleteThread } from "../../../src/threads/delete.ts";
import { deleteMessage } from "../../../src/threads/messages.ts";
import { callsStep, functionCall, RUN_SEQ, runIn } from "../documents.ts";
import { type StoredThread, startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
beforeEach(() => world.cosmos.setFaults([]));
afterAll(() => world.stop());

const RUN_ID = `run_${RUN_SEQ}`;
const remove = ({ tenant, id }: StoredThread) =>
  deleteThread(world.app.store, world.app.wakeUps, tenant, id, world.app.now());

async function firstMessage({ partition }: StoredThread): Promise<MessageDoc> {
  const docs = await Promise.all((await partition.ids(100)).map(({ id }) => partition.read<Doc>(id)));
  const message = docs.find((doc) => doc?.kind === "message");
  if (message?.kind !== "message") throw new Error("the thread holds no message");
  return message;
}

/** Puts a run into the thread that holds its lock; it waits for outputs, or for a worker. */
async function withRun(thread: StoredThread, status: "queued" | "requires_action"): Promise<RunDoc> {
  const { tenant, id, partition } = thread;
  const pk = `${tenant}:${id}`;
  const stored = runIn(status);
  const internal = { ...stored.internal, tenant, lease: null, due: world.app.now() + 60_000 };
  const run: RunDoc = { ...stored, pk, thread_id: id, expires_at: Math.ceil(world.app.now() / 1000) + 600, internal };
  const step = callsStep([functionCall("call_a", null)]);
  const result = await partition.batch([
    { patch: id, set: { "/internal/active_run": run.id } },
    { create: run },
    { create: { ...step, id: run.internal.open[0] ?? step.id, pk, thread_id: id } },
  ]);
  expect(result.ok).toBe(true);
  return run;
}

describe("deleting a thread", () => {
  test("leaves everything but the thread to a wake-up", async () => {
    const thread = await world.thread(3);
    const { id, tenant } = thread;
    await remove(thread);
    expect(await thread.count()).toBe(4);
    expect(await thread.partition.read(id)).toMatchObject({ kind: "deleted_thread" });
    expect(await world.receive()).toMatchObject({ kind: "purge", tenant, thread: id });
  });

  test("takes its active run with it: the run is not claimed, resumed, cancelled or found", async () => {
    for (const status of ["queued", "requires_action"] as const) {
      const thread = await world.thread(1);
      const { tenant, id, partition } = thread;
      await withRun(thread, status);
      await remove(thread);
      const ref = { partition, threadId: id, runId: RUN_ID };
      expect(await partition.read(RUN_ID), status).toBeUndefined();
      await handleWakeUp(world.engine, { tenant, thread: id, run: RUN_ID });
      expect(await partition.read(RUN_ID), status).toBeUndefined();
      const outputs = { tool_outputs: [{ tool_call_id: "call_a", output: "1" }] };
      await expect(submitToolOutputs(world.engine, ref, outputs, false)).rejects.toEqual(noThreadFound(id));
      await expect(cancelRun(world.engine, ref)).rejects.toEqual(noThreadFound(id));
      await world.purge(thread);
    }
  });

  test("hides the runs that have ended, which its purge has not reached yet", async () => {
    const thread = await world.thread(1);
    const { tenant, id, partition } = thread;
    const run = runIn("completed");
    await partition.create({ ...run, pk: `${tenant}:${id}`, thread_id: id });
    const ref = { partition, threadId: id, runId: run.id };
    expect(await currentRun(world.engine, ref)).toMatchObject({ id: run.id });
    await remove(thread);
    expect(await partition.read(run.id)).toBeDefined();
    await expect(currentRun(world.engine, ref)).rejects.toEqual(noThreadFound(id));
    await world.purge(thread);
  });

  test("works when its lock names a run that is missing", async () => {
    const thread = await world.thread(1);
    await thread.partition.batch([{ patch: thread.id, set: { "/internal/active_run": "run_missing" } }]);
    await remove(thread);
    await world.purge(thread);
  });

  test("is refused for a thread that is deleted already, and for one that never was", async () => {
    const thread = await world.thread(1);
    await remove(thread);
    await expect(remove(thread)).rejects.toEqual(noThreadFound(thread.id));
    await expect(remove({ ...thread, id: "thread_x" })).rejects.toEqual(noThreadFound("thread_x"));
    await world.purge(thread);
  });
});

describe("a delete whose answer got lost", () => {
  test("of a thread is done", async () => {
    const thread = await world.thread(1);
    world.cosmos.setFaults([{ fault: "cut-after", operations: ["batch"], times: 1 }]);
    await remove(thread);
    expect(world.cosmos.faults()).toMatchObject([{ fired: 1 }]);
    await world.purge(thread);
  });

  test("of a thread is done, also if its purge has ended before the answer is missed", async () => {
    const thread = await world.thread(1);
    world.cosmos.setFaults([
      { fault: "cut-after", operations: ["batch"], times: 1 },
      { fault: "hold-before", operations: ["read"], containing: [thread.id], times: 2 },
    ]);
    // The first read of a thread finds it; the second, after the lost answer, comes when everything is gone.
    const deleted = remove(thread);
    await expect.poll(() => world.cosmos.faults()[1]?.held).toBe(1);
    world.cosmos.setFaults([
      { fault: "cut-after", operations: ["batch"], times: 1 },
      { fault: "hold-before", operations: ["read"], containing: [thread.id] },
    ]);
    await expect.poll(() => world.cosmos.faults()[1]?.held).toBe(1);
    for (const { id } of await thread.partition.ids(10)) await thread.partition.delete(id);
    world.cosmos.setFaults([]);
    await deleted;
  });

  test("of a message is done, and the thread counts it once", async () => {
    const thread = await world.thread(2);
    const { id } = await firstMessage(thread);
    world.cosmos.setFaults([{ fault: "cut-after", operations: ["batch"], times: 1 }]);
    await deleteMessage(thread.partition, thread.id, id);
    expect(world.cosmos.faults()).toMatchObject([{ fired: 1 }]);
    expect(await thread.partition.read(thread.id)).toMatchObject({ internal: { user_messages: 1 } });
    await expect(deleteMessage(thread.partition, thread.id, id)).rejects.toEqual(noMessageFound(id));
  });

  test("of one document is done, while one that was never there is not", async () => {
    const { partition, ...thread } = await world.thread(1);
    const { id } = await firstMessage({ partition, ...thread });
    world.cosmos.setFaults([{ fault: "cut-after", operations: ["delete"], times: 1 }]);
    expect(await partition.delete(id)).toBe(true);
    expect(world.cosmos.faults()).toMatchObject([{ fired: 1 }]);
    expect(await partition.delete(id)).toBe(false);
  });
});

test("a message of a deleted thread cannot be deleted any more, and the mark stays as it is", async () => {
  const thread = await world.thread(2);
  const message = await firstMessage(thread);
  await thread.partition.batch([{ put: { ...message, id: "msg_open", status: "in_progress" } }]);
  await remove(thread);
  const mark = await thread.partition.read(thread.id);
  for (const id of [message.id, "msg_open"]) {
    await expect(deleteMessage(thread.partition, thread.id, id)).rejects.toEqual(noThreadFound(thread.id));
  }
  expect(await thread.partition.read(thread.id)).toEqual(mark);
  await world.purge(thread);
});
