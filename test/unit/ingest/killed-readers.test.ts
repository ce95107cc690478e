/** Workers that die while they read a file, keep its text or wait for its embeddings: another one does all of it. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { textName } from "../../../src/blobs/blobs.ts";
import { sweepOrphans } from "../../../src/files/sweep.ts";
import { keptText } from "../../../src/ingest/kept-text.ts";
import { handleIngest } from "../../../src/ingest/wake.ts";
import type { VectorStoreFileDoc } from "../../../src/store/vector-documents.ts";
import { storeVectorStore } from "../../../src/stores/attach-many.ts";
import { draftStore } from "../../../src/stores/draft.ts";
import { readVectorStore } from "../../../src/stores/read.ts";
import { BlobGate, type HeldRequest } from "./blob-gate.ts";
import { IngestWorld, type Worker } from "./world.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: IngestWorld;
let other: Worker;
beforeAll(async () => {
  world = await IngestWorld.start();
  other = await world.worker();
});
afterAll(() => world?.stop());

/** Of some 100 chunks. */
const TEXT = Array.from({ length: 20_000 }, (_, number) => `word${number % 997} `).join("");

const EMBEDDING = "embedding";

interface Point {
  name: string;
  held: Omit<HeldRequest, "containing"> | typeof EMBEDDING;
  /** what follows the file's id in the request's path */
  of: string;
}

const POINTS: Point[] = [
  { name: "before the first byte of the file", held: { method: "GET", when: "before" }, of: "" },
  { name: "in the middle of the file's bytes", held: { method: "GET", when: "half" }, of: "" },
  { name: "before its text is kept", held: { method: "PUT", when: "before" }, of: ".text" },
  { name: "after its text was kept", held: { method: "PUT", when: "after" }, of: ".text" },
  { name: "while its embeddings are made", held: EMBEDDING, of: "" },
];

test.each(POINTS)("a worker that dies $name leaves the file to another one", async ({ held, of }) => {
  const gate = await BlobGate.to(world.blobPort);
  const victim = await world.worker(gate.port);
  const tenant = world.newTenant();
  const file = await world.file(other, tenant, TEXT);
  const store = draftStore(tenant, {}, other.tools.now());
  await storeVectorStore(other.app, store, [{ file_id: file.id }], new Map([[file.id, file]]));

  const isHeld = held === EMBEDDING ? world.embeddings.hold() : gate.hold({ ...held, containing: `${file.id}${of}` });
  const job = { kind: "ingest", tenant, store: store.id, files: [file.id] };
  const work = handleIngest(victim.tools, job).catch(() => undefined);
  await isHeld;
  await victim.kill();
  gate.cut();
  world.embeddings.release();
  await world.settle(other, { tenant, id: store.id });

  const doc = await other.app.store.vectorStore(tenant, store.id).readNewest<VectorStoreFileDoc>(file.id);
  expect(doc).toMatchObject({ kind: "vector_store_file", status: "completed" });
  const { file_counts: counts } = await readVectorStore(other.app.store, tenant, store.id);
  expect(counts).toEqual({ in_progress: 0, completed: 1, failed: 0, cancelled: 0, total: 1 });
  expect(await textOf(tenant, file.id)).toBe(TEXT.trim());
  expect((await world.check()).violations).toEqual([]);
  expect(await sweepOrphans(other.app.engine, Number.POSITIVE_INFINITY)).toBe(0);
  await work;
});

async function textOf(tenant: string, id: string): Promise<string> {
  const { blobs } = other.app;
  if (blobs === undefined) throw new Error("there is Blob Storage");
  const pieces = await keptText(blobs, { tenant, id }, new AbortController().signal);
  if (pieces === undefined) throw new Error(`there is no ${textName(tenant, id)}`);
  let text = "";
  for await (const piece of pieces) text += piece;
  return text.trim();
}
