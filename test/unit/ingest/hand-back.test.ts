/** A worker that is stopped, or whose time is over, gives its file back: nothing has failed. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { lookAtFile } from "../../../src/ingest/look.ts";
import { HandBack } from "../../../src/ingest/tools.ts";
import type { VectorStoreFileDoc } from "../../../src/store/vector-documents.ts";
import { attachFile, placeOf } from "../../../src/stores/attach.ts";
import { storeVectorStore } from "../../../src/stores/attach-many.ts";
import { draftStore } from "../../../src/stores/draft.ts";
import { BlobGate } from "./blob-gate.ts";
import { IngestWorld, type Worker } from "./world.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: IngestWorld;
let other: Worker;
beforeAll(async () => {
  world = await IngestWorld.start();
  other = await world.worker();
});
afterAll(() => world?.stop());

async function scene() {
  const tenant = world.newTenant();
  const store = draftStore(tenant, {}, other.tools.now());
  await storeVectorStore(other.app, store, [], new Map());
  const { id } = await world.file(other, tenant, "some words");
  await attachFile(other.app, tenant, store.id, { file_id: id });
  const place = placeOf(other.tools, tenant, store.id);
  return { id, place, read: () => place.partition.readNewest<VectorStoreFileDoc>(id) };
}

test("a file whose workers were stopped many times is read all the same", async () => {
  const { id, place, read } = await scene();
  const stopped = AbortSignal.abort(new HandBack());
  const stopping = { ...other.tools, stopping: stopped };
  for (let stops = 0; stops < 9; stops++) await lookAtFile(stopping, place, id, stopped);
  expect((await read())?.status).toBe("in_progress");
  await lookAtFile(other.tools, place, id, new AbortController().signal);
  expect((await read())?.status).toBe("completed");
});

test("a file whose bytes are just being asked for when its worker is stopped is due again at once", async () => {
  const { id, place, read } = await scene();
  const gate = await BlobGate.to(world.blobPort);
  const worker = await world.worker(gate.port);
  const held = gate.hold({ method: "GET", containing: id, when: "before" });
  const stop = new AbortController();
  const work = lookAtFile(worker.tools, place, id, stop.signal);
  await held;
  stop.abort(new HandBack());
  await work;
  expect((await read())?.internal.due).toBeLessThanOrEqual(worker.tools.now());
  await worker.kill();
  gate.cut();
});
