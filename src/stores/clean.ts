/**
 * Clearing away what files leave that are out of a store, failed, or were cancelled: their chunks, and for those that
 * are out the note in the catalog that the store uses the file. Each batch of deletions stands under the condition that
 * the document is still that of the same attachment: chunks of a file that was put in again meanwhile stay.
 */

import { catalogKey, type Doc, UNDERSTOOD } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import {
  type DetachedFileDoc,
  type UseDoc,
  useId,
  useSort,
  type VectorStoreFileDoc,
} from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import { MARK_TTL } from "./detach.ts";
import { LAST_WRITE } from "./tools.ts";

/** Deletions in one batch of writes. */
const CHUNKS_A_BATCH = 90;

/** How often chunks are looked for that another worker deletes at the same moment. */
const LOOKS = 20;

/**
 * Deletes all chunks of a file. `fence` is a patch of the file's document that is refused once the caller has lost it.
 * False: it was refused.
 */
export async function deleteChunks(partition: Partition, fileId: string, fence: () => Write): Promise<boolean> {
  for (let missed = 0; missed < LOOKS; ) {
    const chunks = await partition.chunkIds(fileId, CHUNKS_A_BATCH);
    if (chunks.length === 0) return true;
    const deletions = chunks.map(({ id }): Write => ({ delete: id }));
    const result = await partition.batch([fence(), ...deletions]);
    if (result.ok) continue;
    if (result.failed === 0) return false;
    if (result.status !== 404) throw new Error(`deleting chunks was refused with status ${result.status}`);
    missed += 1;
  }
  throw new Error("the chunks of a file disappear faster than they can be deleted");
}

/** The condition that the document is still of the same attachment, and that no worker is to put chunks there. */
const isSame = ({ kind, internal: { sort } }: DetachedFileDoc | VectorStoreFileDoc) =>
  `c.kind = '${kind}' AND c.internal.sort = '${sort}'` +
  (kind === "vector_store_file" ? " AND c.status != 'in_progress'" : "");

interface CleanTools {
  store: Store;
  /** milliseconds since 1970 */
  now: () => number;
}

/**
 * Writes the note that a store uses a file, on the condition that the tenant has the file: so a file that is deleted is
 * found in all stores that it is in. False: there is no such file.
 */
export async function noteUse(store: Store, tenant: string, storeId: string, fileId: string): Promise<boolean> {
  const use: UseDoc = {
    id: useId(fileId, storeId),
    pk: catalogKey(tenant),
    kind: "use",
    internal: { sort: useSort(fileId, storeId), tenant, store: storeId },
  };
  const result = await store
    .catalog(tenant)
    .batch([
      { put: use },
      { patch: fileId, set: { "/internal/used": true }, condition: `c.kind = 'file' AND ${UNDERSTOOD}` },
    ]);
  return result.ok;
}

/**
 * Notes the use of a file that no worker has any more; under a lease, as a worker does. False: the file is another's or
 * gone.
 */
async function claimUse(
  { store, now }: CleanTools,
  partition: Partition,
  { id, internal: { tenant } }: VectorStoreFileDoc,
  condition: string,
  storeId: string,
): Promise<boolean> {
  const lease = { owner: "clean", until: now() + 60_000 };
  const claimed = await partition.patchIf(id, condition, { "/internal/claimed": true, "/internal/lease": lease });
  if ("refused" in claimed) return false;
  if (await noteUse(store, tenant, storeId, id)) return true;
  // So that the next look does it again, or finds that the file is gone.
  await partition.patchIf(id, condition, { "/internal/claimed": false, "/internal/lease": null });
  return false;
}

/** Clears away what this document left. May be repeated, and done by several workers at once. */
export async function clean(
  tools: CleanTools,
  partition: Partition,
  doc: Versioned<DetachedFileDoc> | Versioned<VectorStoreFileDoc>,
  storeId: string,
): Promise<void> {
  const condition = isSame(doc);
  const fence = (): Write => ({ patch: doc.id, set: { "/internal/due": tools.now() + 60_000 }, condition });
  if (!(await deleteChunks(partition, doc.id, fence))) return;
  if (doc.kind === "vector_store_file") {
    // A worker that had it may have died before it noted the use.
    if (!(await claimUse(tools, partition, doc, condition, storeId))) return;
    const set = { "/internal/leftover": false, "/internal/lease": null, "/internal/due": null };
    await partition.patchIf(doc.id, condition, set);
    return;
  }
  const end = (doc.internal.until ?? 0) + LAST_WRITE;
  const isLast = tools.now() > end;
  if (!(await deleteUse(tools.store, partition, doc, storeId))) return;
  if (!isLast) {
    // The worker that had it may note its use once more.
    await partition.patchIf(doc.id, condition, { "/internal/due": end + 1 });
    return;
  }
  await partition.patchIf(doc.id, condition, { "/internal/due": null, "/ttl": MARK_TTL });
}

/**
 * Deletes the note that a store uses a file, unless the file is in the store again: then its worker writes the note
 * again after it has the file, so the version that was read before the look at the file is no longer there. False: it
 * is in it again.
 */
export async function deleteUse(
  store: Store,
  partition: Partition,
  { id: fileId, internal: { tenant, sort } }: Pick<DetachedFileDoc, "id" | "internal">,
  storeId: string,
): Promise<boolean> {
  const catalog = store.catalog(tenant);
  const use = await catalog.readNewest<UseDoc>(useId(fileId, storeId));
  const now = await partition.readNewest<Doc>(fileId);
  if (now !== undefined && (now.kind !== "detached_file" || now.internal.sort !== sort)) return false;
  if (use !== undefined) await catalog.batch([{ delete: use.id, ifMatch: use._etag }]);
  return true;
}
