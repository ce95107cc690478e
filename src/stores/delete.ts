/**
 * Deleting a vector store. It is gone at once: a patch makes the document one of another kind, since workers change the
 * store so often that no version of it stays the newest for long. The ingestion worker empties the partition in slices:
 * first the files, so that no worker can write another chunk; then all the rest; the store's own document last.
 */
import { wakeStore } from "../jobs/ingest-jobs.ts";
import { noVectorStoreFound } from "../resources/errors.ts";
import { inBatches } from "../store/batches.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { wholeRange } from "../store/ranges.ts";
import {
  attachedSort,
  type DetachedFileDoc,
  detachedSort,
  useId,
  type VectorStoreFileDoc,
} from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import { placeOf, type StorePlace } from "./attach.ts";
import { IS_STORE } from "./counts.ts";
import { GRACE, LAST_WRITE, type StoreTools } from "./tools.ts";

/** Of the sort of a store that is no store any more: no list asks for it. */
const DELETED_SORT = "deleted_vector_store/";

/** Throws the contract's 404. */
export async function deleteVectorStore(tools: StoreTools, tenant: string, id: string): Promise<void> {
  const { partition } = placeOf(tools, tenant, id);
  const due = tools.now() + GRACE;
  const set = { "/kind": "deleted_vector_store", "/internal/sort": DELETED_SORT, "/internal/due": due };
  const result = await partition.patchIf(id, IS_STORE, set);
  if ("refused" in result) throw noVectorStoreFound(id);
  await tools.wakeUps.sendToIngest([wakeStore(tenant, id, due)]);
}

/** Documents that one slice deletes at the most, and between two slices the pause in milliseconds. */
const SLICE = 500;
const PAUSE = 500;

/** Deletes a slice of what a deleted store left, and sends itself on if there is more. */
export async function purgeStore(tools: StoreTools, place: StorePlace): Promise<void> {
  const { partition, tenant, storeId } = place;
  const due = tools.now() + GRACE;
  const held = await partition.patchIf(storeId, "c.kind = 'deleted_vector_store'", { "/internal/due": due });
  if ("refused" in held) return;
  const next = await purgeFiles(tools, place);
  if (next === undefined && (await purgeRest(partition, storeId))) {
    await partition.delete(storeId);
    return;
  }
  await tools.wakeUps.sendToIngest([wakeStore(tenant, storeId, due, next ?? tools.now() + PAUSE)]);
}

/** Until when a worker may still note the use of a file, in milliseconds. */
function endOf({ internal }: VectorStoreFileDoc | DetachedFileDoc): number {
  const until = "lease" in internal ? internal.lease?.until : internal.until;
  return until === undefined ? 0 : until + LAST_WRITE;
}

/**
 * Files of the store and marks of such, with the notes that the store uses them. Those that a worker has are taken from
 * it, and deleted once it can note nothing more. When to go on, in milliseconds; undefined if there were none.
 */
async function purgeFiles(
  { store, now }: StoreTools,
  { partition, tenant, storeId }: StorePlace,
): Promise<number | undefined> {
  const catalog = store.catalog(tenant);
  const found: Versioned<VectorStoreFileDoc | DetachedFileDoc>[] = [];
  for (const sort of [attachedSort, detachedSort]) {
    const options = { range: wholeRange(sort), descending: false, limit: SLICE };
    found.push(...(await partition.list<VectorStoreFileDoc | DetachedFileDoc>(options)));
  }
  if (found.length === 0) return undefined;
  const isHeld = (doc: VectorStoreFileDoc | DetachedFileDoc) => endOf(doc) > now();
  const [held, files] = [found.filter(isHeld), found.filter((doc) => !isHeld(doc))];
  // Its worker loses it, and no other one claims it.
  const taken = held.filter((doc) => doc.kind === "vector_store_file" && doc.status === "in_progress");
  const set = { "/status": "cancelled", "/internal/due": null };
  for (const { id } of taken) await partition.patchIf(id, "c.internal.lease != null", set);
  const used = files.filter(mayBeNoted);
  await deleteAll(
    catalog,
    used.map(({ id }) => ({ delete: useId(id, storeId) })),
  );
  // One that a worker has claimed meanwhile has another version, and stays for now.
  await deleteAll(
    partition,
    files.map(({ id, _etag: ifMatch }) => ({ delete: id, ifMatch })),
  );
  return files.length > 0 ? now() + PAUSE : Math.min(...held.map(endOf)) + 1;
}

/** Whether the store may have noted its use of the file: for a worker that had it, now or before it came in again. */
function mayBeNoted({ internal }: VectorStoreFileDoc | DetachedFileDoc): boolean {
  return internal.claimed || ("leftover" in internal ? internal.leftover : internal.due != null);
}

/** Everything but the store's own document; whether nothing is left. */
async function purgeRest(partition: Partition, storeId: string): Promise<boolean> {
  const found = await partition.ids(SLICE);
  const others = found.map(({ id }) => id).filter((id) => id !== storeId);
  await deleteAll(
    partition,
    others.map((id) => ({ delete: id })),
  );
  return found.length < SLICE;
}

/** Some of them may be gone already, or have another version: those stay. */
export async function deleteAll(partition: Partition, deletions: Write[]): Promise<void> {
  for (const batch of inBatches(deletions)) {
    const result = await partition.batch(batch);
    if (!result.ok) for (const write of batch) await partition.batch([write]);
  }
}
