/** Storing a new thread: nearly always one batch; a large one takes several, and a mark until the last is written. */
import { overloaded } from "../resources/errors.ts";
import { inBatches } from "../store/batches.ts";
import { type DeletedThreadDoc, deletedSort, type MessageDoc, type ThreadDoc } from "../store/documents.ts";
import { MAX_BATCH_WRITES } from "../store/limits.ts";
import type { Partition } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import type { Write } from "../store/writes.ts";

/** How long one batch of a large thread may take before its writer counts as dead. Milliseconds. */
const WRITER_GRACE = 60_000;

/** `now` tells the time in milliseconds. Throws if the store does not take the thread: then nothing of it is left. */
export async function storeThread(
  store: Store,
  tenant: string,
  thread: ThreadDoc,
  messages: MessageDoc[],
  now: () => number,
): Promise<void> {
  const partition = store.thread(tenant, thread.id);
  const writes = [...messages, thread].map(toCreate);
  const batch = inBatches(writes).next().value;
  if (batch?.length !== writes.length) return storeLargeThread(partition, tenant, thread, messages, now);
  const result = await partition.batch(batch);
  if (!result.ok) throw refused(result.status);
}

/**
 * Each batch renews the mark on the condition that it is as the batch before left it, and the last one puts the thread
 * in its place. If the writer dies, the sweep finds the mark overdue; a purge that takes the mark over ends the writer.
 */
async function storeLargeThread(
  partition: Partition,
  tenant: string,
  thread: ThreadDoc,
  messages: MessageDoc[],
  now: () => number,
): Promise<void> {
  let etag: string | undefined;
  const last = toCreate(thread);
  // Room for the mark in each batch.
  for (const batch of inBatches([...messages.map(toCreate), last], MAX_BATCH_WRITES - 1)) {
    const mark = unfinishedMark(thread, tenant, now() + WRITER_GRACE);
    const isLast = batch.at(-1) === last;
    const doc = isLast ? thread : mark;
    const first: Write = etag === undefined ? { create: doc } : { put: doc, ifMatch: etag };
    const result = await partition.batch([first, ...(isLast ? batch.slice(0, -1) : batch)]);
    // 404 and 412: the mark is another's, since a batch took longer than its grace. The purge clears what is written.
    if (!result.ok) throw result.status === 404 || result.status === 412 ? overloaded(1) : refused(result.status);
    etag = result.etags[0];
  }
}

const toCreate = (doc: MessageDoc | ThreadDoc): Write => ({ create: doc });

const unfinishedMark = ({ id, pk }: ThreadDoc, tenant: string, due: number): DeletedThreadDoc => ({
  id,
  pk,
  kind: "deleted_thread",
  internal: { sort: deletedSort(due), tenant, unfinished: true },
});

const refused = (status: number) => new Error(`creating a thread was refused with status ${status}`);
