/**
 * Deleting a vector store. It is gone at once: a patch makes the document one of another kind, since workers change the
 * store so often that no version of it stays the newest for long. The ingestion worker empties the partition in slices:
 * first the files, so that no worker can write another chunk; then all the rest; the store's own document last.
 */
import { wakeStore } from "../jobs/ingest-jobs.ts";
import { noVectorStoreFound } from "../resources/errors.ts";
import { inBatches } from "../store/batches.ts";
import type { Doc } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
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
import { GRACE, type StoreTools } from "./tools.ts";

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
  const hadFiles = await purgeFiles(tools, place);
  if (!hadFiles && (await purgeRest(partition, storeId))) {
    await partition.delete(storeId);
    return;
  }
  await tools.wakeUps.sendToIngest([wakeStore(tenant, storeId, due, tools.now() + PAUSE)]);
}

/** Files of the store and marks of such, with the notes that the store uses them; whether there were any. */
async function purgeFiles({ store }: StoreTools, { partition, tenant, storeId }: StorePlace): Promise<boolean> {
  const catalog = store.catalog(tenant);
  const files: { id: string; internal: { claimed: boolean } }[] = [];
  for (const sort of [attachedSort, detachedSort]) {
    const options = { range: wholeRange(sort), descending: false, limit: SLICE };
    files.push(...(await partition.list<VectorStoreFileDoc | DetachedFileDoc>(options)));
  }
  await deleteAll(
    catalog,
    files.flatMap(({ id, internal: { claimed } }) => (claimed ? [useId(id, storeId)] : [])),
  );
  await deleteAll(
    partition,
    files.map(({ id }) => id),
  );
  return files.length > 0;
}

/** Everything but the store's own document; whether nothing is left. */
async function purgeRest(partition: Partition, storeId: string): Promise<boolean> {
  const found = await partition.ids(SLICE);
  const others = found.map(({ id }) => id).filter((id) => id !== storeId);
  await deleteAll(partition, others);
  return found.length < SLICE;
}

/** Some of them may be gone already. */
async function deleteAll(partition: Partition, ids: string[]): Promise<void> {
  for (const batch of inBatches(ids.map((id): Write => ({ delete: id })))) {
    const result = await partition.batch(batch);
    if (!result.ok) for (const write of batch) if ("delete" in write) await partition.delete(write.delete);
  }
}

/** Whether the document is what a deleted store left. */
export const isDeletedStore = (doc: Doc | undefined) => doc?.kind === "deleted_vector_store";
