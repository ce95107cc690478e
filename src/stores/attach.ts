/**
 * Putting files into a vector store. Each batch of writes holds some files' documents with the counts that follow; many
 * files take several, and a batch document that names those still to come, so that the ingestion worker goes on if this
 * process dies.
 */
import { wakeFiles } from "../jobs/ingest-jobs.ts";
import { toSeconds } from "../resources/common.ts";
import { overloaded, vectorStoreFull } from "../resources/errors.ts";
import { clearingAt, MAX_STORE_FILES } from "../resources/vector-store.ts";
import type { FileToAttach } from "../resources/vector-store-file.ts";
import type { Doc, FileDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import type { DetachedFileDoc, VectorStoreDoc, VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import { type Change, IS_STORE, writeCounted } from "./counts.ts";
import { draftAttached } from "./draft.ts";
import { docsOf, searchableFiles } from "./files.ts";
import { readLiveStore } from "./read.ts";
import { ATTEMPTS, type StoreTools } from "./tools.ts";

/** A store, and where it is. */
export interface StorePlace {
  tenant: string;
  storeId: string;
  partition: Partition;
}

export const placeOf = ({ store }: StoreTools, tenant: string, storeId: string): StorePlace => ({
  tenant,
  storeId,
  partition: store.vectorStore(tenant, storeId),
});

/** What becomes of one file: nothing is written for one that is in the store already and that no batch is to count. */
interface Planned {
  doc: VectorStoreFileDoc;
  writes: Write[];
  changes: Change[];
  /** whether a worker has something to do */
  isNew: boolean;
}

/** More batches than these never name a file: the oldest of them are over. */
const MOST_BATCHES = 10;

/** What is in the place of a file's document. */
type Existing = Versioned<VectorStoreFileDoc> | Versioned<DetachedFileDoc> | undefined;

/** `now` in milliseconds. */
function planned(
  { tenant, storeId }: StorePlace,
  file: FileToAttach,
  filename: string,
  existing: Existing,
  batch: string | undefined,
  now: number,
): Planned {
  const names = batch === undefined ? [] : [batch];
  const before = existing?.kind === "vector_store_file" ? existing : undefined;
  if (before !== undefined && (before.status === "in_progress" || before.status === "completed")) {
    return countedBy(
      before,
      names.filter((name) => !before.internal.batches.includes(name)),
    );
  }
  const leftover = before === undefined ? existing?.internal.due != null : before.internal.claimed;
  const old = before?.internal.batches.slice(1 - MOST_BATCHES) ?? [];
  const doc = draftAttached({ tenant, storeId, file, filename, batches: [...old, ...names], leftover }, now);
  const change: Change = { to: "in_progress", batches: old };
  if (before !== undefined) change.from = before.status;
  const write: Write = existing === undefined ? { create: doc } : { put: doc, ifMatch: existing._etag };
  const changes: Change[] = [change];
  if (names.length > 0) changes.push({ to: "in_progress", batches: names, isOfBatchesOnly: true });
  return { doc, writes: [write], changes, isNew: true };
}

/** A file that is in the store already, and from now on counts in these batches, too. */
function countedBy(doc: Versioned<VectorStoreFileDoc>, names: string[]): Planned {
  if (names.length === 0) return { doc, writes: [], changes: [], isNew: false };
  const all = [...doc.internal.batches, ...names];
  const next = { ...doc, internal: { ...doc.internal, batches: all.slice(-MOST_BATCHES) } };
  const changes: Change[] = [
    { to: doc.status, batches: names, isOfBatchesOnly: true },
    { from: doc.status, batches: all.slice(0, -MOST_BATCHES), isOfBatchesOnly: true },
  ];
  return { doc: next, writes: [{ put: next, ifMatch: doc._etag }], changes, isNew: false };
}

export interface Attachable {
  file: FileToAttach;
  doc: FileDoc;
}

/** What else stands in the batch of writes, and what the store must be like. */
export interface Beside {
  /** the batch that counts the files */
  batch?: string | undefined;
  writes(changes: Change[]): Write[];
  /** `comers`: how many of the files are not in the store yet, also not as failed ones that are tried again */
  condition(comers: number): string;
  set: Record<string, unknown>;
}

export type Attached =
  | { ok: true; docs: VectorStoreFileDoc[]; woken: string[] }
  | { ok: false; refused: "documents" | "store" };

/** One batch of writes for up to 90 files. */
export async function attachSome(
  place: StorePlace,
  files: Attachable[],
  isStoreNew: boolean,
  beside: Beside,
  now: number,
): Promise<Attached> {
  const ids = files.map(({ file }) => file.file_id);
  const found = isStoreNew ? [] : await docsOf(place.partition, ids);
  const existing = new Map<string, Doc & { _etag: string }>(found.map((doc) => [doc.id, doc]));
  const plans = files.map(({ file, doc }) =>
    planned(place, file, doc.filename, existing.get(file.file_id) as Existing, beside.batch, now),
  );
  const docs = plans.map(({ doc }) => doc);
  const changes = plans.flatMap((plan) => plan.changes);
  const writes = [...plans.flatMap((plan) => plan.writes), ...beside.writes(changes)];
  if (writes.length > 0) {
    const { condition, set } = beside;
    const own = beside.batch === undefined ? changes : changes.map(withoutBatch(beside.batch));
    const patch = { condition: condition(changes.filter(isComer).length), set };
    const result = await writeCounted(place.partition, place.storeId, writes, own, patch);
    if (!result.ok) return result;
  }
  return { ok: true, docs, woken: plans.flatMap(({ isNew, doc }) => (isNew ? [doc.id] : [])) };
}

const isComer = ({ from, isOfBatchesOnly }: Change) => from === undefined && isOfBatchesOnly !== true;

/** Its document is written by the caller: it has more to say than counts. */
const withoutBatch =
  (batch: string) =>
  (change: Change): Change => ({ ...change, batches: change.batches.filter((id) => id !== batch) });

/** Work on a store counts as activity, noted once an hour. Seconds. */
const NOTED_EVERY = 3_600;

/** What to set in a store that is used. `now` in milliseconds. */
export function activity(store: VectorStoreDoc, now: number): Record<string, unknown> {
  const active = { ...store, last_active_at: toSeconds(now) };
  if (active.last_active_at - store.last_active_at < NOTED_EVERY) return {};
  return { "/last_active_at": active.last_active_at, "/internal/due": clearingAt(active) };
}

/** Notes that a store was used. What fails is not worth a refusal. */
export async function touch({ store, now }: StoreTools, doc: VectorStoreDoc): Promise<void> {
  const set = activity(doc, now());
  if (Object.keys(set).length === 0) return;
  await store.vectorStore(doc.internal.tenant, doc.id).patchIf(doc.id, IS_STORE, set);
}

/** The condition under which a store takes so many files more. */
export const hasRoomFor = (count: number) => `${IS_STORE} AND c.file_counts.total <= ${MAX_STORE_FILES - count}`;

/** Puts a file into a store, or answers with it as it is there already. Throws the contract's 404 or 400. */
export async function attachFile(
  tools: StoreTools,
  tenant: string,
  storeId: string,
  file: FileToAttach,
): Promise<VectorStoreFileDoc> {
  const place = placeOf(tools, tenant, storeId);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = tools.now();
    const store = await readLiveStore(tools.store, tenant, storeId, now);
    const files = await searchableFiles(tools.store, tenant, [file.file_id], "file_id", now);
    const [doc] = files.values();
    if (doc === undefined) throw new Error("a file that was found is gone");
    const beside = { writes: () => [], condition: hasRoomFor, set: activity(store, now) };
    const result = await attachSome(place, [{ file, doc }], false, beside, now);
    if (result.ok) {
      const [attached] = result.docs;
      if (attached === undefined) throw new Error("one file makes one document");
      await tools.wakeUps.sendToIngest(wakeFiles(tenant, storeId, result.woken, attached.internal.sort));
      return attached;
    }
    if (result.refused === "store" && store.file_counts.total >= MAX_STORE_FILES) {
      throw vectorStoreFull(storeId, MAX_STORE_FILES);
    }
  }
  throw overloaded(1);
}
