/** Every document lies in the partition of its thread and its tenant, and belongs to a run that is there. */
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* everythingInItsPlace(thread: ThreadSnapshot): Iterable<Finding> {
  const { tenant, threadId } = thread;
  if (tenant === "") yield { id: thread.pk, detail: "the partition key names no tenant" };
  for (const id of thread.strangers) yield { id, detail: "is of no kind that a thread holds" };
  for (const { id } of [...thread.threads, ...thread.marks]) {
    if (id !== threadId) yield { id, detail: `is a thread in the partition of ${threadId}` };
  }
  const isUnreadable = thread.unreadable.some(({ id }) => id === threadId);
  if (thread.thread === undefined && !thread.isBeingDeleted && !isUnreadable)
    yield { id: threadId, detail: "the thread is missing" };
  for (const doc of [...thread.runs, ...thread.messages, ...thread.steps]) {
    if (doc.thread_id !== threadId) yield { id: doc.id, detail: `is of ${doc.thread_id}, but lies in ${threadId}` };
  }
  for (const run of thread.runs) {
    if (run.internal.tenant !== tenant) yield { id: run.id, detail: `is of tenant ${run.internal.tenant}` };
  }
  yield* orphans(thread);
}

function* orphans(thread: ThreadSnapshot): Iterable<Finding> {
  const runs = new Set(thread.runs.map((run) => run.id));
  const owned = [
    ...thread.messages.map(({ id, run_id: run }) => ({ id, run })),
    ...thread.steps.map(({ id, run_id: run }) => ({ id, run })),
    ...thread.chunks.map(({ id, internal: { run } }) => ({ id, run })),
  ];
  for (const { id, run } of owned) {
    if (run !== null && !runs.has(run)) yield { id, detail: `belongs to ${run}, which is not in this thread` };
  }
}
