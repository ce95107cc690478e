/**
 * Purging what deleted and half-written threads left: a wake-up of its own, done in slices by the worker. A slice
 * deletes a bounded number of documents and bytes, and sends itself on. Its first batch moves the mark's due time, so
 * that no second worker does the same slice; the last batch of all deletes the mark. A slice that fails is not repeated
 * at once: the mark becomes overdue, and the sweep sends the next wake-up. So a store in trouble is not asked more than
 * once a minute for each thread.
 */
import { type PurgeWakeUp, purgeJob, type WakeUps, type WakeUpToSend } from "../jobs/wake-ups.ts";
import type { Log } from "../log.ts";
import { type DeletedThreadDoc, deletedSort, dueOfMark, isNewer, type ThreadDoc } from "../store/documents.ts";
import { MAX_BATCH_WRITES } from "../store/limits.ts";
import type { Partition, StoredSize, Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import type { Write } from "../store/writes.ts";

/** What a slice deletes at the most. At 5 to 6 request units a small document, about 2,700 request units. */
const SLICE_DOCUMENTS = 500;
/** Characters of JSON. A large document costs by its size: about 2,000 request units. */
const SLICE_SIZE = 4_000_000;
/** Of one batch, which Cosmos DB gives five seconds. Characters of JSON. */
const BATCH_SIZE = 1_000_000;

/** For a document whose size the store does not tell. Characters. */
const ASSUMED_SIZE = 10_000;

/** Between two slices of a thread: so its purge uses a part of the throughput and not all of it. Milliseconds. */
const PAUSE = 1_000;

/** How long a purge may take to begin or go on before the sweep sends another wake-up. Milliseconds. */
export const PURGE_GRACE = 15_000;

/** How often a slice looks at what is left, when documents are gone that it wanted to delete. */
const LOOKS = 5;

/** What a purge works with; the engine has it all. */
export interface PurgeTools {
  store: Store;
  wakeUps: WakeUps;
  log: Log;
  /** milliseconds since 1970 */
  now: () => number;
}

/** A wake-up for the purge of a thread whose mark is due at `due`, sent at once or at `at` (both in milliseconds). */
export function purgeWakeUp(tenant: string, thread: string, due: number, at?: number): WakeUpToSend {
  return { job: purgeJob(tenant, thread, due), id: `${thread}/purge/${due}`, at };
}

/** Does one slice. Never throws: what fails is left to the sweep. */
export async function purge(tools: PurgeTools, job: PurgeWakeUp): Promise<void> {
  const { tenant, thread, due } = job;
  const partition = tools.store.thread(tenant, thread);
  try {
    const mark = await ownedMark(tools, partition, thread, due);
    if (mark === undefined) return;
    const next = await purgeSlice(partition, mark, tools.now() + PURGE_GRACE);
    if (next !== undefined) await tools.wakeUps.sendAll([purgeWakeUp(tenant, thread, next, tools.now() + PAUSE)]);
  } catch (error) {
    tools.log.warn("a purge failed; the sweep will send it again", { thread, error });
  }
}

/** The mark, if this wake-up is for it and not for an earlier slice. */
async function ownedMark(
  tools: PurgeTools,
  partition: Partition,
  threadId: string,
  due: number,
): Promise<Versioned<DeletedThreadDoc> | undefined> {
  const mark = await partition.readNewest<DeletedThreadDoc | ThreadDoc>(threadId);
  if (mark?.kind !== "deleted_thread" || dueOfMark(mark) !== due) return undefined;
  if (isNewer(mark)) {
    tools.log.warn("a deleted thread is of a newer build; its purge is left for that", { thread: threadId });
    return undefined;
  }
  if (mark.internal.unfinished === undefined) return mark;
  // From here on its writer is refused; before, a document that is deleted here could be missing in a finished thread.
  const { unfinished: _writer, ...internal } = mark.internal;
  const taken: DeletedThreadDoc = { ...mark, internal };
  const result = await partition.batch([{ put: taken, ifMatch: mark._etag }]);
  if (!result.ok) return undefined;
  tools.log.warn("a thread was never finished; it is purged", { thread: threadId });
  return { ...taken, _etag: result.etags[0] ?? "" };
}

/** Deletes a slice. The mark's new due time if there is more; else the mark is gone, or another worker has it. */
async function purgeSlice(
  partition: Partition,
  mark: Versioned<DeletedThreadDoc>,
  nextDue: number,
): Promise<number | undefined> {
  const due = Math.max(nextDue, dueOfMark(mark) + 1);
  const { due: _due, ...internal } = mark.internal;
  const held = { ...mark, internal: { ...internal, sort: deletedSort(due) } };
  for (let look = 0; look < LOOKS; look++) {
    const { documents, isAll } = slice(await partition.ids(SLICE_DOCUMENTS + 1), mark.id);
    const result = await deleteAll(partition, held, documents, isAll);
    if (result === "taken") return undefined;
    if (result === "done") return isAll ? undefined : due;
  }
  throw new Error("the documents of a deleted thread disappear faster than they can be deleted");
}

/** The first of the documents, as many as a slice may delete; whether nothing but the mark is left without them. */
function slice(found: StoredSize[], markId: string): { documents: StoredSize[]; isAll: boolean } {
  let size = 0;
  const documents: StoredSize[] = [];
  const others = found.filter(({ id }) => id !== markId);
  for (const document of others) {
    size += sizeOf(document);
    if (documents.length === SLICE_DOCUMENTS || (documents.length > 0 && size > SLICE_SIZE)) break;
    documents.push(document);
  }
  // The mark may or may not be among what was found.
  return { documents, isAll: found.length <= SLICE_DOCUMENTS && documents.length === others.length };
}

const sizeOf = ({ size }: StoredSize) => size ?? ASSUMED_SIZE;

/** `held` is the mark as it is to be; its etag is that of the stored one, and follows what is written. */
async function deleteAll(
  partition: Partition,
  held: Versioned<DeletedThreadDoc>,
  documents: StoredSize[],
  isAll: boolean,
): Promise<"done" | "missing" | "taken"> {
  const batches = deletions(documents);
  for (const [index, batch] of batches.entries()) {
    const change = changeOfMark(held, index === 0, isAll && index === batches.length - 1);
    const result = await partition.batch([...change, ...batch]);
    if (!result.ok) {
      if (result.failed < change.length) return "taken";
      // Of the documents: an event log's time was over, or an earlier try deleted them. Look at what is left.
      if (result.status === 404) return "missing";
      throw new Error(`purging a thread was refused with status ${result.status}`);
    }
    if (index === 0) held._etag = result.etags[0] ?? "";
  }
  return "done";
}

/**
 * The mark comes first in a batch: of it, the store can tell after a lost answer that it was this batch that wrote it.
 */
function changeOfMark(held: Versioned<DeletedThreadDoc>, isFirst: boolean, isLast: boolean): Write[] {
  if (isLast) return [{ delete: held.id, ifMatch: held._etag }];
  return isFirst ? [{ put: held, ifMatch: held._etag }] : [];
}

/** One batch at least; each leaves room for the mark. */
function deletions(documents: StoredSize[]): Write[][] {
  let current: Write[] = [];
  const batches = [current];
  let size = 0;
  for (const document of documents) {
    size += sizeOf(document);
    if (current.length === MAX_BATCH_WRITES - 1 || (current.length > 0 && size > BATCH_SIZE)) {
      current = [];
      batches.push(current);
      size = sizeOf(document);
    }
    current.push({ delete: document.id });
  }
  return batches;
}
