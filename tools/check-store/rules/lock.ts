/**
 * A thread's lock belongs to its one active run, its active run holds the lock, and its users' messages are counted.
 */
import { isTerminal } from "../../../src/resources/run.ts";
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* locksMatchRuns(snapshot: ThreadSnapshot): Iterable<Finding> {
  const { thread } = snapshot;
  if (thread === undefined) return;
  const holder = thread.internal.active_run;
  const run = snapshot.runs.find(({ id }) => id === holder);
  if (holder !== null && run === undefined) yield { id: thread.id, detail: `is locked by ${holder}, which is missing` };
  if (run !== undefined && isTerminal(run.status)) {
    yield { id: thread.id, detail: `is locked by ${run.id}, which is ${run.status}` };
  }
  for (const { id, status } of snapshot.runs) {
    if (!isTerminal(status) && id !== holder) yield { id, detail: `is ${status} without its thread's lock` };
  }
  const count = snapshot.messages.filter(({ role }) => role === "user").length;
  const counted = thread.internal.user_messages;
  if (count !== counted) yield { id: thread.id, detail: `counts ${counted} messages of users, and has ${count}` };
}
