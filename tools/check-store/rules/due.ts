/** Nothing is stuck: each run that has not ended, and each deleted thread, has a due time that is not long past. */
import { isTerminal } from "../../../src/resources/run.ts";
import { dueOfMark } from "../../../src/store/documents.ts";
import type { CheckOptions, Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* nothingOverdue(
  thread: ThreadSnapshot,
  { now, tolerance, isStopped = false }: CheckOptions,
): Iterable<Finding> {
  const latest = isStopped ? Number.NEGATIVE_INFINITY : now - tolerance;
  for (const { id, status, expires_at: expiresAt, internal } of thread.runs) {
    const { due } = internal;
    if (isTerminal(status)) {
      if (due !== undefined) yield { id, detail: `is ${status} and has a due time all the same` };
    } else if (due === undefined) yield { id, detail: `is ${status} and will never be looked at` };
    else if (due < latest) yield { id, detail: `is ${status} and overdue for ${seconds(now - due)}` };
    else if (expiresAt !== null && expiresAt * 1000 < latest) {
      yield { id, detail: `is ${status} and should have expired ${seconds(now - expiresAt * 1000)} ago` };
    }
  }
  for (const mark of thread.marks) {
    const due = dueOfMark(mark);
    if (due < latest) yield { id: mark.id, detail: `its purge is overdue for ${seconds(now - due)}` };
  }
}

const seconds = (milliseconds: number) => `${Math.round(milliseconds / 1000)} s`;
