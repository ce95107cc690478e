/**
 * A vector store that has expired keeps its files' documents, which clients list to make another store of them. Its
 * chunks are of no use any more, and cost storage: the sweep wakes a worker, which deletes them in slices.
 */
import { wakeStore } from "../jobs/ingest-jobs.ts";
import { clearingAt } from "../resources/vector-store.ts";
import { isNewer } from "../store/documents.ts";
import type { VectorStoreDoc } from "../store/vector-documents.ts";
import type { StorePlace } from "./attach.ts";
import { IS_STORE } from "./counts.ts";
import { deleteAll } from "./delete.ts";
import { GRACE, type StoreTools } from "./tools.ts";

/** Where a file is being read. Milliseconds. */
const LATER = 3_600_000;

/** Chunks that one slice deletes, and between two slices the pause in milliseconds. */
const SLICE = 500;
const PAUSE = 500;

/** Deletes a slice of the chunks of an expired store, and sends itself on if there is more. */
export async function clearExpired(tools: StoreTools, { partition, tenant, storeId }: StorePlace): Promise<void> {
  const doc = await partition.readNewest<VectorStoreDoc>(storeId);
  if (doc?.kind !== "vector_store" || isNewer(doc) || doc.internal.due == null) return;
  const now = tools.now();
  const at = clearingAt(doc);
  // Used since, or not to expire any more; or a file is being read whose chunks would come later.
  const isLater = at === null || at > now;
  const next = isLater ? at : now + (doc.file_counts.in_progress > 0 ? LATER : GRACE);
  const isAsRead = `${IS_STORE} AND c.internal.due = ${doc.internal.due}`;
  const moved = await partition.patchIf(storeId, isAsRead, { "/internal/due": next });
  if (isLater || doc.file_counts.in_progress > 0 || "refused" in moved) return;
  const chunks = await partition.chunkIds(undefined, SLICE);
  await deleteAll(
    partition,
    chunks.map(({ id }) => ({ delete: id })),
  );
  if (chunks.length === SLICE) {
    await tools.wakeUps.sendToIngest([wakeStore(tenant, storeId, `expired/${next}`, now + PAUSE)]);
    return;
  }
  await partition.patchIf(storeId, `${IS_STORE} AND c.internal.due = ${next}`, { "/internal/due": null });
}
