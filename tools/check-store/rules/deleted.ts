/** A thread is deleted together with its active run: a run that could go on has a thread. */
import { isTerminal } from "../../../src/resources/run.ts";
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* deletedAtOnce({ isBeingDeleted, marks, threads, runs }: ThreadSnapshot): Iterable<Finding> {
  if (!isBeingDeleted) return;
  for (const { id } of threads) yield { id, detail: "is a thread and a deleted one" };
  // Builds before 0.2 left the run to its driver; their marks have a due time of their own.
  if (marks.some(({ internal }) => internal.due !== undefined)) return;
  for (const { id, status } of runs) {
    if (!isTerminal(status)) yield { id, detail: `is ${status}, and its thread is deleted` };
  }
}
