/** Cancelling a batch: those of its files that are in progress are cancelled, whether or not a worker has them. */
import { wakeFiles } from "../jobs/ingest-jobs.ts";
import { overloaded } from "../resources/errors.ts";
import type { FileBatch } from "../resources/file-batch.ts";
import { seqOf } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import { wholeRange } from "../store/ranges.ts";
import { attachedStatusSort, type FileBatchDoc, type VectorStoreFileDoc } from "../store/vector-documents.ts";
import { placeOf, type StorePlace } from "./attach.ts";
import { FILES_A_BATCH } from "./attach-many.ts";
import { writeCounted } from "./counts.ts";
import { readFileBatch, shownBatch } from "./read.ts";
import { ATTEMPTS, GRACE, type StoreTools } from "./tools.ts";

/** Answers with the batch as it is then. One that is finished stays as it is. Throws the contract's 404. */
export async function cancelBatch(tools: StoreTools, tenant: string, storeId: string, id: string): Promise<FileBatch> {
  const place = placeOf(tools, tenant, storeId);
  const batch = await readFileBatch(tools.store, tenant, storeId, id);
  if (shownBatch(batch).status === "completed") return shownBatch(batch);
  // From here on none of its files is put into the store any more.
  const set = { "/internal/cancelled": true, "/internal/pending": [], "/internal/due": tools.now() + GRACE };
  await place.partition.patchIf<FileBatchDoc>(id, "c.kind = 'file_batch' AND c.internal.cancelled = false", set);
  await cancelFiles(tools, place, id);
  return shownBatch(await readFileBatch(tools.store, tenant, storeId, id));
}

/** Cancels what is in progress of a batch, and then leaves the batch alone. May be repeated. */
export async function cancelFiles(tools: StoreTools, place: StorePlace, batchId: string): Promise<void> {
  for (let refusals = 0; refusals < ATTEMPTS; ) {
    const files = await place.partition.list<VectorStoreFileDoc>({
      range: wholeRange((seq) => attachedStatusSort("in_progress", seq)),
      by: "status_sort",
      batchId,
      descending: false,
      limit: FILES_A_BATCH,
    });
    if (files.length === 0) {
      await place.partition.patchIf<FileBatchDoc>(batchId, "c.internal.cancelled = true", { "/internal/due": null });
      return;
    }
    if (!(await cancelSome(tools, place, files))) refusals += 1;
  }
  throw overloaded(1);
}

async function cancelSome(
  tools: StoreTools,
  { partition, tenant, storeId }: StorePlace,
  files: Versioned<VectorStoreFileDoc>[],
): Promise<boolean> {
  const writes = files.map((doc) => ({ put: cancelled(doc, tools.now()), ifMatch: doc._etag }));
  const changes = files.map(({ internal }) => ({
    from: "in_progress" as const,
    to: "cancelled" as const,
    batches: internal.batches,
  }));
  const result = await writeCounted(partition, storeId, writes, changes);
  if (!result.ok) return false;
  const left = files.map(({ id }) => id);
  await tools.wakeUps.sendToIngest(wakeFiles(tenant, storeId, left, `cancel/${tools.now()}`));
  return true;
}

/** A worker that has it loses it. What it has written so far is cleared away (clean.ts). */
function cancelled(doc: VectorStoreFileDoc, now: number): VectorStoreFileDoc {
  const status_sort = attachedStatusSort("cancelled", seqOf(doc.internal.sort));
  return {
    ...doc,
    status: "cancelled",
    internal: { ...doc.internal, status_sort, lease: null, leftover: true, due: now + GRACE },
  };
}
