/**
 * Deleting a thread. The request writes one batch: a mark in the thread's place, and the active run gone with it. So
 * the thread is gone at once for every request and every driver; the worker purges the rest (purge.ts).
 */
import type { WakeUps } from "../jobs/wake-ups.ts";
import { noThreadFound, overloaded } from "../resources/errors.ts";
import { isNewerVersion } from "../resources/schema-version.ts";
import { type DeletedThreadDoc, deletedSort, type ThreadDoc, threadKey } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import type { BatchResult, Write } from "../store/writes.ts";
import { MAX_ATTEMPTS } from "./lock.ts";
import { PURGE_GRACE, purgeWakeUp } from "./purge.ts";

/**
 * Throws the contract's 404. A thread that was there and is gone when it is to be deleted counts as deleted: by a try
 * of this request whose answer got lost, or by another request. Answers with the id of the session of its code, if it
 * has one. `now` in milliseconds.
 */
export async function deleteThread(
  store: Store,
  wakeUps: WakeUps,
  tenant: string,
  threadId: string,
  now: number,
): Promise<string | undefined> {
  const partition = store.thread(tenant, threadId);
  const due = now + PURGE_GRACE;
  const mark: DeletedThreadDoc = {
    id: threadId,
    pk: threadKey(tenant, threadId),
    kind: "deleted_thread",
    internal: { tenant, sort: deletedSort(due) },
  };
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const thread = await partition.read<ThreadDoc | DeletedThreadDoc>(threadId);
    if (thread?.kind !== "thread") {
      if (attempt > 0) return undefined;
      throw noThreadFound(threadId);
    }
    const result = await writeMark(partition, thread, asNewAs(thread, mark));
    if (!result.ok) continue;
    // If this fails, the sweep finds the mark.
    const wakeUp = purgeWakeUp(tenant, threadId, due);
    await wakeUps.sendAll([wakeUp]);
    return thread.internal.code_session?.id;
  }
  throw overloaded(1);
}

/** A newer thread may hold more than this build knows to purge: any build deletes it, a newer one purges it. */
const asNewAs = ({ internal: { v } }: ThreadDoc, mark: DeletedThreadDoc): DeletedThreadDoc =>
  isNewerVersion({ v }) ? { ...mark, internal: { ...mark.internal, v } } : mark;

/**
 * The run that holds the thread is deleted in the same batch: its driver's next write or look tells it that the run is
 * gone, and a run that waits is never claimed or resumed. So every active run in the store is a run of a thread.
 */
async function writeMark(
  partition: Partition,
  thread: Versioned<ThreadDoc>,
  mark: DeletedThreadDoc,
): Promise<BatchResult> {
  const { active_run: run } = thread.internal;
  const put: Write = { put: mark, ifMatch: thread._etag };
  if (run === null) return partition.batch([put]);
  const result = await partition.batch([put, { delete: run }]);
  const runIsMissing = !result.ok && result.failed === 1 && result.status === 404;
  return runIsMissing ? partition.batch([put]) : result;
}
