/** Vector stores, their files and batches as they are now. */
import {
  noFileBatchFound,
  noVectorStoreFileFound,
  noVectorStoreFound,
  updating,
  vectorStoreExpired,
} from "../resources/errors.ts";
import type { FileBatch } from "../resources/file-batch.ts";
import { isPossibleId } from "../resources/ids.ts";
import { isExpired } from "../resources/vector-store.ts";
import { type Doc, isNewer } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import type { FileBatchDoc, VectorStoreDoc, VectorStoreFileDoc } from "../store/vector-documents.ts";

/** The store, or undefined if the tenant has none of this id. */
export async function findVectorStore(
  store: Store,
  tenant: string,
  id: string,
): Promise<Versioned<VectorStoreDoc> | undefined> {
  if (!isPossibleId(id)) return undefined;
  const doc = await store.vectorStore(tenant, id).read<Doc>(id);
  return doc?.kind === "vector_store" ? (doc as Versioned<VectorStoreDoc>) : undefined;
}

/** The store; throws the contract's 404. */
export async function readVectorStore(store: Store, tenant: string, id: string): Promise<Versioned<VectorStoreDoc>> {
  const doc = await findVectorStore(store, tenant, id);
  if (doc === undefined) throw noVectorStoreFound(id);
  return doc;
}

/**
 * The store, for adding files or searching; throws the 404, the 400 of an expired one, or 503. `now` in milliseconds.
 */
export async function readLiveStore(...[store, tenant, id, now]: [...Parameters<typeof readVectorStore>, number]) {
  const doc = await readVectorStore(store, tenant, id);
  if (isExpired(doc, now)) throw vectorStoreExpired(id);
  if (isNewer(doc)) throw updating(1);
  return doc;
}

/** The file in the store; undefined if it is not in it, or was taken out. */
export async function findAttached(
  partition: Partition,
  fileId: string,
): Promise<Versioned<VectorStoreFileDoc> | undefined> {
  if (!isPossibleId(fileId)) return undefined;
  const doc = await partition.read<Doc>(fileId);
  return doc?.kind === "vector_store_file" ? (doc as Versioned<VectorStoreFileDoc>) : undefined;
}

/** The file in the store; throws the 404 of the store or of the file. */
export async function readAttached(
  store: Store,
  tenant: string,
  storeId: string,
  fileId: string,
): Promise<Versioned<VectorStoreFileDoc>> {
  const found = findAttached(store.vectorStore(tenant, storeId), fileId);
  found.catch(() => undefined);
  await readVectorStore(store, tenant, storeId);
  const doc = await found;
  if (doc === undefined) throw noVectorStoreFileFound(fileId, storeId);
  return doc;
}

/** The batch; throws the 404 of the store or of the batch. */
export async function readFileBatch(
  store: Store,
  tenant: string,
  storeId: string,
  id: string,
): Promise<Versioned<FileBatchDoc>> {
  const found = store.vectorStore(tenant, storeId).read<Doc>(id);
  found.catch(() => undefined);
  await readVectorStore(store, tenant, storeId);
  const doc = await found;
  if (doc?.kind !== "file_batch" || doc.internal.hidden) throw noFileBatchFound(id);
  return doc as Versioned<FileBatchDoc>;
}

/** As the API shows it: a file that has no document yet is in progress. */
export function shownBatch(doc: FileBatchDoc): FileBatch {
  const { id, object, created_at, vector_store_id, file_counts: counts, internal } = doc;
  const waiting = internal.pending.length;
  const file_counts = { ...counts, in_progress: counts.in_progress + waiting, total: counts.total + waiting };
  const running = file_counts.in_progress > 0 ? "in_progress" : "completed";
  return {
    id,
    object,
    created_at,
    vector_store_id,
    status: internal.cancelled ? "cancelled" : running,
    file_counts,
  };
}
