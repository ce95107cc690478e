/** Threads and runs that only a newer build understands: what this one does with them, and what it leaves. */

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { noThreadFound, updating } from "../../../src/resources/errors.ts";
import { SCHEMA_VERSION } from "../../../src/resources/schema-version.ts";
import { cancelRun, currentRun, submitToolOutputs } from "../../../src/runs/commands.ts";
import { createRun } from "../../../src/runs/create.ts";
import { handleWakeUp } from "../../../src/runs/worker.ts";
import type { DeletedThreadDoc, RunDoc, ThreadDoc } from "../../../src/store/documents.ts";
import { deleteThread } from "../../../src/threads/delete.ts";
import { addMessage, deleteMessage } from "../../../src/threads/messages.ts";
import { readThread } from "../../../src/threads/read.ts";
import { assistant, runIn } from "../documents.ts";
import { type StoredThread, startWorld, type World } from "./world.ts";

const NEWER = { "/internal/v": SCHEMA_VERSION + 1, "/internal/more": "kept" };

let world: World;
let thread: StoredThread;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());
beforeEach(async () => {
  thread = await world.thread(1);
});

const isStale = () => Promise.resolve(false);
const makeNewer = (id: string) => thread.partition.patchIf(id, "true", NEWER);
const message = { role: "user" as const, content: "And then?" };

/** A newer run that holds the thread, due now. */
async function newerRun(status: RunDoc["status"], changes: Partial<RunDoc> = {}) {
  const run: RunDoc = { ...runIn(status), ...changes, pk: `${thread.tenant}:${thread.id}`, thread_id: thread.id };
  const internal = {
    ...run.internal,
    tenant: thread.tenant,
    lease: null,
    due: Date.now() - 1,
    v: SCHEMA_VERSION + 1,
    more: "kept",
  };
  await thread.partition.create({ ...run, internal });
  await thread.partition.patchIf<ThreadDoc>(thread.id, "true", { "/internal/active_run": run.id });
  return { ref: { partition: thread.partition, threadId: thread.id, runId: run.id }, run };
}

const stored = () => readThread(thread.partition, thread.id);

test("a newer thread takes no messages and no runs, which clients may send again", async () => {
  await makeNewer(thread.id);
  await expect(addMessage(world.app.store, thread.tenant, thread.id, message, Date.now(), isStale)).rejects.toEqual(
    updating(1),
  );
  const draft = {
    partition: thread.partition,
    tenant: thread.tenant,
    threadId: thread.id,
    assistant: assistant(),
    request: { assistant_id: assistant().id },
    now: Date.now(),
    lifetime: 600,
    isThreadNew: false,
    isStale,
  };
  await expect(createRun(draft)).rejects.toEqual(updating(1));
  expect(updating(1)).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
  expect(await thread.count()).toBe(2);
});

test("a thread that tells no version takes messages", async () => {
  const { internal, _etag: etag, ...doc } = await stored();
  const { v: _version, ...others } = internal;
  await thread.partition.batch([{ put: { ...doc, internal: { ...others, v: undefined } }, ifMatch: etag }]);
  expect((await stored()).internal.v).toBeUndefined();
  await addMessage(world.app.store, thread.tenant, thread.id, message, Date.now(), isStale);
  expect(await thread.count()).toBe(3);
});

test("a newer message, and a message in a newer thread, are not deleted", async () => {
  const { id } = await addMessage(world.app.store, thread.tenant, thread.id, message, Date.now(), isStale);
  await makeNewer(id);
  await expect(deleteMessage(thread.partition, thread.id, id)).rejects.toEqual(updating(1));
  await thread.partition.patchIf(id, "true", { "/internal/v": 1 });
  await makeNewer(thread.id);
  await expect(deleteMessage(thread.partition, thread.id, id)).rejects.toEqual(updating(1));
  expect(await thread.count()).toBe(3);
});

test("a newer thread is deleted at once, and a newer build purges it", async () => {
  await makeNewer(thread.id);
  await deleteThread(world.app.store, world.app.wakeUps, thread.tenant, thread.id, Date.now());
  await expect(stored()).rejects.toEqual(noThreadFound(thread.id));
  await handleWakeUp(world.engine, await world.receive());
  expect(await thread.count()).toBe(2);
  const mark = await thread.partition.read<DeletedThreadDoc>(thread.id);
  expect(mark).toMatchObject({ kind: "deleted_thread", internal: { v: SCHEMA_VERSION + 1 } });
});

test.each(["queued", "in_progress"] as const)("a newer run that is %s is left, for a moment", async (status) => {
  const { ref, run } = await newerRun(status);
  const before = await thread.partition.read(run.id);
  const job = { tenant: thread.tenant, thread: thread.id, run: run.id };
  await handleWakeUp(world.engine, job);
  expect(await thread.partition.read(run.id)).toEqual(before);
  expect(await world.receive()).toEqual({ ...job, v: 1, look: true });
  expect(await currentRun(world.engine, ref)).toMatchObject({ status });
});

test("a newer run that waits for outputs takes none here, and is not looked at again", async () => {
  const { ref, run } = await newerRun("requires_action");
  const outputs = { tool_outputs: [{ tool_call_id: "call_a", output: "" }] };
  await expect(submitToolOutputs(world.engine, ref, outputs, false)).rejects.toEqual(updating(1));
  await handleWakeUp(world.engine, { tenant: thread.tenant, thread: thread.id, run: run.id });
  expect(await world.receive(300)).toBeUndefined();
});

test("a newer run that is cancelled or whose time is over ends, keeps its fields and frees its thread", async () => {
  const { ref: cancelled } = await newerRun("queued");
  await cancelRun(world.engine, cancelled);
  const last = await currentRun(world.engine, cancelled);
  expect(last).toMatchObject({ status: "cancelled", internal: { v: SCHEMA_VERSION + 1, more: "kept" } });
  expect((await stored()).internal.active_run).toBeNull();

  thread = await world.thread(1);
  const { run } = await newerRun("queued", { expires_at: 1 });
  await handleWakeUp(world.engine, { tenant: thread.tenant, thread: thread.id, run: run.id });
  const expired = await thread.partition.read<RunDoc>(run.id);
  expect(expired).toMatchObject({ status: "expired", internal: { v: SCHEMA_VERSION + 1, more: "kept" } });
  expect((await stored()).internal.active_run).toBeNull();
});
