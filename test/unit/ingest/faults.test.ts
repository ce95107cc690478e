/** Workers that die at every write, and files that go away while they are read: the counts stay exact, and nothing is left behind. */
import { ServiceBusClient } from "@azure/service-bus";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { FaultRule } from "../../../local/cosmos/server.ts";
import { deleteFile, lookAtFile } from "../../../src/files/delete.ts";
import { buryIngest, handleIngest } from "../../../src/ingest/wake.ts";
import { INGEST_QUEUE } from "../../../src/jobs/wake-ups.ts";
import type { FileDoc } from "../../../src/store/documents.ts";
import type { VectorStoreFileDoc } from "../../../src/store/vector-documents.ts";
import { attachFile, placeOf, touch } from "../../../src/stores/attach.ts";
import { attachBatch, storeVectorStore } from "../../../src/stores/attach-many.ts";
import { cancelBatch } from "../../../src/stores/cancel.ts";
import { deleteVectorStore } from "../../../src/stores/delete.ts";
import { detachFile } from "../../../src/stores/detach.ts";
import { draftStore } from "../../../src/stores/draft.ts";
import { readFileBatch, readVectorStore, shownBatch } from "../../../src/stores/read.ts";
import { detachEverywhere } from "../../../src/stores/uses.ts";
import { until } from "../../e2e/harness.ts";
import { IngestWorld, type Worker } from "./world.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: IngestWorld;
let other: Worker;
beforeAll(async () => {
  world = await IngestWorld.start();
  other = await world.worker();
});
afterAll(() => world?.stop());
afterEach(async () => {
  world.cosmos.setFaults([]);
  world.embeddings.refusals = [];
  await world.settle(other);
  expect((await world.check()).violations).toEqual([]);
});

/** Then Service Bus puts a message aside (local/service-bus, infra). */
const MOST_DELIVERIES = 10;

/** Milliseconds. */
const HOUR = 3_600_000;

/** Some 300 chunks: several batches of writes. */
const LONG = Array.from({ length: 60_000 }, (_, number) => `word${number % 997} `).join("");

async function storeOf(worker: Worker, tenant: string): Promise<string> {
  const store = draftStore(tenant, {}, worker.tools.now());
  await storeVectorStore(worker.app, store, [], new Map());
  return store.id;
}

interface Scene {
  tenant: string;
  storeId: string;
  file: FileDoc;
  job: { kind: string; tenant: string; store: string; files: string[] };
}

/** A file in a store that no worker has looked at. */
async function scene(text = LONG): Promise<Scene> {
  const tenant = world.newTenant();
  const storeId = await storeOf(other, tenant);
  const file = await world.file(other, tenant, text);
  await attachFile(other.app, tenant, storeId, { file_id: file.id });
  return { tenant, storeId, file, job: { kind: "ingest", tenant, store: storeId, files: [file.id] } };
}

const read = ({ tenant, storeId, file }: Scene) =>
  other.app.store.vectorStore(tenant, storeId).readNewest<VectorStoreFileDoc>(file.id);

const countsOf = async ({ tenant, storeId }: Pick<Scene, "tenant" | "storeId">) =>
  (await readVectorStore(other.app.store, tenant, storeId)).file_counts;

/** Resolves when the store holds a request of a worker that begins with the job; the worker's end is of no interest. */
async function heldAt(
  worker: Worker,
  job: Scene["job"],
  rule: Omit<FaultRule, "times">,
): Promise<{ work: Promise<void> }> {
  world.cosmos.setFaults([{ ...rule, times: 1 }]);
  const work = handleIngest(worker.tools, job).catch(() => undefined);
  await until(async () => world.cosmos.faults()[0]?.held === 1, 60_000);
  // In an object, since a promise of a promise would wait for the work.
  return { work };
}

const A_CHUNK = '"kind":"chunk"';
const POINTS = [
  { name: "its claim", operations: ["patch" as const], containing: ["/internal/lease"] },
  { name: "the note of the use", operations: ["batch" as const], containing: ['"kind":"use"'] },
  { name: "its first chunks", operations: ["batch" as const], containing: [A_CHUNK] },
  { name: "its end", operations: ["batch" as const], containing: ['"status":"completed"'] },
];

test.each(POINTS.flatMap((point) => (["before", "after"] as const).map((when) => ({ ...point, when }))))(
  "a worker that dies $when $name leaves the file to another one",
  async ({ when, operations, containing }) => {
    const victim = await world.worker();
    const at = await scene();
    await heldAt(victim, at.job, { fault: `hold-${when}`, operations, containing: [at.file.id, ...containing] });
    await victim.kill();
    await until(async () => world.cosmos.faults().every(({ held }) => held === 0), 30_000);
    world.cosmos.setFaults([]);
    await world.settle(other);
    const doc = await read(at);
    expect(doc).toMatchObject({ kind: "vector_store_file", status: "completed" });
    expect(doc?.internal.done).toBeGreaterThan(150);
    expect(await countsOf(at)).toEqual({ in_progress: 0, completed: 1, failed: 0, cancelled: 0, total: 1 });
  },
);

test("a file that is taken out while it is read leaves no chunk", async () => {
  const at = await scene();
  const { work } = await heldAt(other, at.job, {
    fault: "hold-before",
    operations: ["batch"],
    containing: [at.file.id, A_CHUNK],
  });
  await detachFile(other.app, placeOf(other.app, at.tenant, at.storeId), at.file.id);
  world.cosmos.setFaults([]);
  await work;
  await world.settle(other);
  expect(await countsOf(at)).toMatchObject({ total: 0 });
  expect(await other.app.store.vectorStore(at.tenant, at.storeId).chunkIds(at.file.id, 1)).toEqual([]);
});

test("a file that is taken out and put in again is whole by one worker only", async () => {
  const at = await scene();
  const { work } = await heldAt(other, at.job, {
    fault: "hold-after",
    operations: ["batch"],
    containing: [at.file.id, A_CHUNK],
  });
  await detachFile(other.app, placeOf(other.app, at.tenant, at.storeId), at.file.id);
  const chunking_strategy = {
    type: "static" as const,
    static: { max_chunk_size_tokens: 4_096, chunk_overlap_tokens: 0 },
  };
  await attachFile(other.app, at.tenant, at.storeId, { file_id: at.file.id, chunking_strategy });
  world.cosmos.setFaults([]);
  await work;
  await world.settle(other);
  const doc = await read(at);
  expect(doc).toMatchObject({ status: "completed" });
  expect(doc?.internal.done).toBeLessThan(60);
});

test("a store that is deleted while a file is read is emptied, and so are the notes of its files", async () => {
  const at = await scene();
  const { work } = await heldAt(other, at.job, {
    fault: "hold-after",
    operations: ["batch"],
    containing: [at.file.id, A_CHUNK],
  });
  await deleteVectorStore(other.app, at.tenant, at.storeId);
  world.cosmos.setFaults([]);
  await work;
  await world.settle(other);
  expect(await other.app.store.vectorStore(at.tenant, at.storeId).ids(1)).toEqual([]);
});

test("a file that is deleted while two stores read it goes out of both", async () => {
  const at = await scene();
  const second = await storeOf(other, at.tenant);
  await attachFile(other.app, at.tenant, second, { file_id: at.file.id });
  const { work } = await heldAt(other, at.job, {
    fault: "hold-after",
    operations: ["batch"],
    containing: [at.file.id, A_CHUNK],
  });
  await deleteFile(other.app, at.tenant, at.file.id);
  world.cosmos.setFaults([]);
  await work;
  const look = () =>
    lookAtFile(
      { ...other.app.engine, now: other.tools.now },
      { kind: "file", tenant: at.tenant, file: at.file.id },
      detachEverywhere,
    );
  for (let looks = 0; looks < 5; looks++) {
    await look();
    await world.settle(other);
  }
  expect(await countsOf(at)).toMatchObject({ total: 0 });
  expect(await countsOf({ ...at, storeId: second })).toMatchObject({ total: 0 });
  expect(await other.app.store.catalog(at.tenant).readNewest(at.file.id)).toBeUndefined();
});

test("a batch that is cancelled keeps what is done, and clears away the rest", async () => {
  const tenant = world.newTenant();
  const storeId = await storeOf(other, tenant);
  const files = await Promise.all(["short", LONG, "third"].map((text) => world.file(other, tenant, text)));
  const wanted = files.map(({ id }) => ({ file_id: id }));
  const batch = await attachBatch(other.app, tenant, storeId, wanted, new Map(files.map((file) => [file.id, file])));
  const job = (file: FileDoc | undefined) => ({ kind: "ingest", tenant, store: storeId, files: [file?.id ?? ""] });
  await handleIngest(other.tools, job(files[0]));
  const rule: FaultRule = { fault: "hold-before", operations: ["batch"], containing: [files[1]?.id ?? "", A_CHUNK] };
  const { work } = await heldAt(other, job(files[1]), rule);
  const cancelled = await cancelBatch(other.app, tenant, storeId, batch.id);
  expect(cancelled).toMatchObject({
    status: "cancelled",
    file_counts: { in_progress: 0, completed: 1, failed: 0, cancelled: 2, total: 3 },
  });
  world.cosmos.setFaults([]);
  await work;
  await world.settle(other);
  expect(await cancelBatch(other.app, tenant, storeId, batch.id)).toEqual(cancelled);
});

test("a batch whose store is filled by others meanwhile ends: what found no room has failed", async () => {
  const tenant = world.newTenant();
  const storeId = await storeOf(other, tenant);
  const one = await world.file(other, tenant, "One.");
  const files = await Promise.all(Array.from({ length: 95 }, () => world.file(other, tenant, "short")));
  const known = new Map(files.map((file) => [file.id, file]));
  const { partition } = placeOf(other.app, tenant, storeId);
  const fill = (more: number) => partition.patchIf(storeId, "true", {}, { "/file_counts/total": more });
  await attachFile(other.app, tenant, storeId, { file_id: one.id });
  // Between its first step and its second, other requests take all the room that there is.
  const rule: FaultRule = { fault: "hold-before", operations: ["batch"], containing: ['"/internal/step"'] };
  world.cosmos.setFaults([rule]);
  const attaching = attachBatch(
    other.app,
    tenant,
    storeId,
    files.map(({ id }) => ({ file_id: id })),
    known,
  );
  await until(async () => (await countsOf({ tenant, storeId })).total === 91);
  await fill(9_905);
  world.cosmos.setFaults([]);
  try {
    const { file_counts } = shownBatch(await attaching);
    expect(file_counts).toMatchObject({ in_progress: 90, failed: 5, total: 95 });
  } finally {
    await fill(-9_905);
  }
  await world.settle(other);
  const batch = await readFileBatch(other.app.store, tenant, storeId, (await attaching).id);
  expect(shownBatch(batch)).toMatchObject({ status: "completed", file_counts: { completed: 90, failed: 5 } });
});

test("two workers and doubled wake-ups read a file once", async () => {
  const at = await scene();
  const second = await world.worker();
  const jobs = [other, second, other, second].map(({ tools }) => handleIngest(tools, at.job));
  await Promise.all(jobs);
  expect(await countsOf(at)).toMatchObject({ completed: 1, total: 1 });
  expect((await read(at))?.internal.attempts).toBe(0);
});

test("a storm of refused embeddings is waited out, and a file is given up in the end", async () => {
  const at = await scene();
  world.embeddings.refusals = [429, 503, 429];
  await world.settle(other);
  expect(await read(at)).toMatchObject({ status: "completed" });
  const hopeless = await scene("short");
  world.embeddings.refusals = new Array(200).fill(429);
  await world.settle(other);
  expect(await read(hopeless)).toMatchObject({
    status: "failed",
    last_error: { code: "server_error", message: "An internal error occurred." },
  });
});

test("one file in three stores is read out once", async () => {
  const at = await scene("The cat sat on the mat.");
  const others = [await storeOf(other, at.tenant), await storeOf(other, at.tenant)];
  for (const id of others) await attachFile(other.app, at.tenant, id, { file_id: at.file.id });
  await world.settle(other);
  for (const storeId of [at.storeId, ...others])
    expect(await countsOf({ ...at, storeId })).toMatchObject({ completed: 1 });
});

test("what a process that died had still to put into a store is put into it", async () => {
  const victim = await world.worker();
  const tenant = world.newTenant();
  const files = await Promise.all(
    Array.from({ length: 100 }, (_, number) => world.file(other, tenant, `text ${number}`)),
  );
  const store = draftStore(tenant, {}, other.tools.now());
  world.cosmos.setFaults([
    { fault: "hold-after", operations: ["batch"], containing: [store.id, '"kind":"vector_store"'], times: 1 },
  ]);
  const wanted = files.map(({ id }) => ({ file_id: id }));
  const creating = storeVectorStore(victim.app, store, wanted, new Map(files.map((file) => [file.id, file])));
  creating.catch(() => undefined);
  await until(async () => world.cosmos.faults()[0]?.held === 1, 30_000);
  await victim.kill();
  await until(async () => world.cosmos.faults().every(({ held }) => held === 0), 30_000);
  world.cosmos.setFaults([]);
  await world.settle(other);
  expect((await readVectorStore(other.app.store, tenant, store.id)).file_counts).toMatchObject({
    completed: 100,
    total: 100,
  });
});

test("a file for which the store has no room fails, and takes none", async () => {
  const before = await scene("short");
  await world.settle(other);
  const file = await world.file(other, before.tenant, LONG);
  await attachFile(other.app, before.tenant, before.storeId, { file_id: file.id });
  // The first chunks find room.
  const batches = { operations: ["batch" as const], containing: [file.id, A_CHUNK] };
  const work = heldAt(other, { ...before.job, files: [file.id] }, { fault: "hold-before", ...batches });
  const { work: ending } = await work;
  world.cosmos.setFaults([{ fault: "403-3", substatus: 1014, ...batches }]);
  await ending;
  const at = { ...before, file };
  expect(await read(at)).toMatchObject({
    status: "failed",
    last_error: { code: "server_error", message: "The vector store is full." },
  });
  expect(await other.app.store.vectorStore(at.tenant, at.storeId).chunkIds(file.id, 1)).toEqual([]);
  expect(await countsOf(at)).toEqual({ in_progress: 0, completed: 1, failed: 1, cancelled: 0, total: 2 });
});

test("a wake-up that fails at every delivery ends among the dead letters, and its file fails", async () => {
  const at = await scene("short");
  const bus = new ServiceBusClient(world.queue.connectionString());
  const receiver = bus.createReceiver(INGEST_QUEUE);
  // The host gives a message back whose handler throws.
  for (let deliveries = 0; deliveries < MOST_DELIVERIES; ) {
    for (const message of await receiver.receiveMessages(10, { maxWaitTimeInMs: 500 })) {
      if (JSON.stringify(message.body).includes(at.file.id)) deliveries += 1;
      await receiver.abandonMessage(message);
    }
  }
  const dead = bus.createReceiver(INGEST_QUEUE, { subQueueType: "deadLetter", receiveMode: "receiveAndDelete" });
  const [message] = await dead.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
  await buryIngest(other.tools, message?.body);
  await bus.close();
  expect(await read(at)).toMatchObject({
    status: "failed",
    last_error: { code: "server_error", message: "An internal error occurred." },
  });
  expect(await countsOf(at)).toMatchObject({ failed: 1, total: 1 });
});

test("a store that has expired loses its chunks, and keeps its files; one that is used keeps all", async () => {
  const at = await scene();
  const used = await scene("The cat sat on the mat.");
  const expiring = { anchor: "last_active_at" as const, days: 1 };
  const storeOfDays = async ({ tenant, file }: Scene) => {
    const store = draftStore(tenant, { expires_after: expiring }, other.tools.now());
    await storeVectorStore(other.app, store, [{ file_id: file.id }], new Map([[file.id, file]]));
    return store.id;
  };
  const [storeId, usedId] = [await storeOfDays(at), await storeOfDays(used)];
  await world.settle(other);
  const chunksOf = ({ tenant }: Scene, id: string) =>
    other.app.store.vectorStore(tenant, id).chunkIds(undefined, 1_000);
  expect((await chunksOf(at, storeId)).length).toBeGreaterThan(150);

  world.skew += 20 * HOUR;
  const doc = await readVectorStore(other.app.store, used.tenant, usedId);
  await touch({ ...other.app, now: other.tools.now }, doc);
  world.skew += 6 * HOUR;
  await world.settle(other);

  expect(await chunksOf(at, storeId)).toEqual([]);
  expect(await read({ ...at, storeId })).toMatchObject({ status: "completed" });
  expect(await countsOf({ ...at, storeId })).toMatchObject({ completed: 1, total: 1 });
  expect((await chunksOf(used, usedId)).length).toBe(1);
});

test("a store that is deleted with a file that was taken out and put in again leaves no note of its use", async () => {
  const at = await scene("The cat sat on the mat.");
  await world.settle(other);
  // No worker looks at it in between: what the first attachment left is still there.
  await detachFile(other.app, placeOf(other.app, at.tenant, at.storeId), at.file.id);
  await attachFile(other.app, at.tenant, at.storeId, { file_id: at.file.id });
  await deleteVectorStore(other.app, at.tenant, at.storeId);
  // The wake-ups of the file get lost; that of the store does not.
  const bus = new ServiceBusClient(world.queue.connectionString());
  const receiver = bus.createReceiver(INGEST_QUEUE, { receiveMode: "receiveAndDelete" });
  while ((await receiver.receiveMessages(50, { maxWaitTimeInMs: 500 })).length > 0);
  await bus.close();
  await handleIngest(other.tools, { kind: "ingest", tenant: at.tenant, store: at.storeId });
  await world.settle(other);
  expect((await world.check()).violations).toEqual([]);
});
