/** Batches of files, and stores that are created with files: as many batches of writes as it takes. */
import { wakeFiles } from "../jobs/ingest-jobs.ts";
import { overloaded, vectorStoreFull } from "../resources/errors.ts";
import { assertStorable } from "../resources/limits.ts";
import { type FileCounts, MAX_STORE_FILES, noFiles } from "../resources/vector-store.ts";
import type { FileToAttach } from "../resources/vector-store-file.ts";
import type { FileDoc } from "../store/documents.ts";
import type { FileBatchDoc, PendingFile, VectorStoreDoc } from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import { type Attachable, activity, attachSome, hasRoomFor, placeOf, type StorePlace } from "./attach.ts";
import { type Change, IS_STORE } from "./counts.ts";
import { draftBatch } from "./draft.ts";
import { filesOf } from "./files.ts";
import { readLiveStore } from "./read.ts";
import { ATTEMPTS, GRACE, type StoreTools } from "./tools.ts";

/** Files in one batch of writes; the others are the store, the batch, and what Cosmos DB may refuse. */
export const FILES_A_BATCH = 90;

/** Each file once, as and where it is named first. */
export const eachOnce = (files: FileToAttach[]): FileToAttach[] =>
  [...Map.groupBy(files, ({ file_id: id }) => id).values()].flatMap(([first]) => first ?? []);

/** Puts files into a store as one batch. `files` are the tenant's, by id; each is named once. */
export async function attachBatch(
  tools: StoreTools,
  tenant: string,
  storeId: string,
  wanted: FileToAttach[],
  files: Map<string, FileDoc>,
): Promise<FileBatchDoc> {
  const place = placeOf(tools, tenant, storeId);
  const batch = draftBatch(tenant, storeId, wanted, tools.now());
  assertStorable(batch, "files");
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const store = await readLiveStore(tools.store, tenant, storeId, tools.now());
    const step = await writeStep(tools, place, batch, { store, files, isFirst: true });
    if (step.ok) return goOn(tools, place, step.batch, files);
    if (step.refused === "store" && store.file_counts.total + wanted.length > MAX_STORE_FILES) {
      throw vectorStoreFull(storeId, MAX_STORE_FILES);
    }
  }
  throw overloaded(1);
}

/** Stores a new store with its files. */
export async function storeVectorStore(
  tools: StoreTools,
  store: VectorStoreDoc,
  wanted: FileToAttach[],
  files: Map<string, FileDoc>,
): Promise<VectorStoreDoc> {
  const { tenant } = store.internal;
  const place = placeOf(tools, tenant, store.id);
  const now = tools.now();
  const first = attachables(wanted.slice(0, FILES_A_BATCH), files);
  const rest = wanted.slice(FILES_A_BATCH);
  const batch = rest.length === 0 ? undefined : draftBatch(tenant, store.id, rest, now, true);
  const creates: Write[] = [{ create: store }, ...(batch === undefined ? [] : [{ create: batch }])];
  const beside = { writes: () => creates, condition: () => IS_STORE, set: {} };
  const result = await attachSome(place, first, true, beside, now);
  if (!result.ok) throw new Error("creating a vector store was refused");
  await wake(tools, place, result.woken, store.internal.sort);
  if (batch !== undefined) await goOn(tools, place, batch, files);
  return { ...store, file_counts: { ...noFiles(), in_progress: wanted.length, total: wanted.length } };
}

/** Puts what is left of a batch into its store, and wakes the workers. Ends early if another process does it. */
export async function goOn(
  tools: StoreTools,
  place: StorePlace,
  from: FileBatchDoc,
  known?: Map<string, FileDoc>,
): Promise<FileBatchDoc> {
  let batch = from;
  let refusals = 0;
  while (batch.internal.pending.length > 0 && refusals < ATTEMPTS) {
    const store = await place.partition.readNewest<VectorStoreDoc>(place.storeId);
    if (store?.kind !== "vector_store") return batch;
    const ids = batch.internal.pending.slice(0, FILES_A_BATCH).map(({ file_id: id }) => id);
    const files = known ?? (await filesOf(tools.store, place.tenant, ids, tools.now()));
    const step = await writeStep(tools, place, batch, { store, files, isFirst: false });
    if (step.ok) {
      batch = step.batch;
      continue;
    }
    if (step.refused === "store" && store.file_counts.total + ids.length > MAX_STORE_FILES) {
      await refuseRest(place, batch, tools.now());
    }
    refusals += 1;
    const stored = await place.partition.readNewest<FileBatchDoc>(batch.id);
    if (stored?.kind !== "file_batch" || stored.internal.step !== batch.internal.step) return stored ?? batch;
    batch = stored;
  }
  return batch;
}

/** What other requests have left no room for counts as failed: else the batch would be in progress for ever. */
async function refuseRest(place: StorePlace, batch: FileBatchDoc, now: number): Promise<void> {
  const { pending, hidden, step } = batch.internal;
  const refused = hidden ? 0 : pending.length;
  const more = { ...noFiles(), failed: refused, total: refused };
  const patch = batchPatch(stepped(batch, [], more, now), more, step);
  await place.partition.batch([{ ...patch, set: { ...patch.set, "/internal/refused": refused } }]);
}

interface StepParts {
  store: VectorStoreDoc;
  files: Map<string, FileDoc>;
  /** The first step needs room for all the files, or the batch is refused; a later one for its own. */
  isFirst: boolean;
}

type Step = { ok: true; batch: FileBatchDoc } | { ok: false; refused: "documents" | "store" };

/** The next files of a batch, with the batch as it is then. */
async function writeStep(tools: StoreTools, place: StorePlace, batch: FileBatchDoc, parts: StepParts): Promise<Step> {
  const { store, files, isFirst } = parts;
  const now = tools.now();
  const { pending, hidden, step } = batch.internal;
  const some = attachables(pending.slice(0, FILES_A_BATCH), files);
  const rest = pending.slice(FILES_A_BATCH);
  let next = batch;
  const writes = (changes: Change[]): Write[] => {
    next = stepped(batch, rest, hidden ? noFiles() : countsIn(changes, batch.id), now);
    return [isFirst ? { create: next } : batchPatch(next, hidden ? noFiles() : countsIn(changes, batch.id), step)];
  };
  const beside = {
    batch: hidden ? undefined : batch.id,
    writes,
    condition: (comers: number) => hasRoomFor(comers + (isFirst ? rest.length : 0)),
    set: activity(store, now),
  };
  const result = await attachSome(place, some, false, beside, now);
  if (!result.ok) return result;
  await wake(tools, place, result.woken, `${batch.id}/${step}`);
  return { ok: true, batch: next };
}

const attachables = (wanted: PendingFile[], files: Map<string, FileDoc>): Attachable[] =>
  wanted.flatMap((file) => {
    const doc = files.get(file.file_id);
    // One that was deleted meanwhile is in no store.
    return doc === undefined ? [] : [{ file, doc }];
  });

function countsIn(changes: Change[], batch: string): FileCounts {
  const counts = noFiles();
  for (const { to, batches } of changes) {
    if (to === undefined || !batches.includes(batch)) continue;
    counts[to] += 1;
    counts.total += 1;
  }
  return counts;
}

function stepped(batch: FileBatchDoc, pending: PendingFile[], more: FileCounts, now: number): FileBatchDoc {
  const { step } = batch.internal;
  const counts = Object.fromEntries(
    Object.entries(batch.file_counts).map(([name, count]) => [name, count + Reflect.get(more, name)]),
  );
  const due = pending.length > 0 ? now + GRACE : null;
  return {
    ...batch,
    file_counts: { ...noFiles(), ...counts },
    internal: { ...batch.internal, pending, step: step + 1, due },
  };
}

/** Adds to the counts, since workers count in the same document; the step says that no other process has done it. */
function batchPatch({ id, internal }: FileBatchDoc, more: FileCounts, step: number): Extract<Write, { patch: string }> {
  const add = Object.entries(more).flatMap(([name, count]) => (count === 0 ? [] : [[`/file_counts/${name}`, count]]));
  return {
    patch: id,
    set: { "/internal/pending": internal.pending, "/internal/step": internal.step, "/internal/due": internal.due },
    add: Object.fromEntries(add),
    condition: `c.internal.step = ${step} AND c.internal.cancelled = false`,
  };
}

const wake = (tools: StoreTools, { tenant, storeId }: StorePlace, files: string[], occasion: string) =>
  tools.wakeUps.sendToIngest(wakeFiles(tenant, storeId, files, occasion));
