/** Places in a thread are unique, an answer is later than its question, and nothing comes between. */
import { isTerminal } from "../../../src/resources/run.ts";
import { type RunDoc, seqOf } from "../../../src/store/documents.ts";
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

interface Placed {
  id: string;
  internal: { sort: string };
}

export function* everythingInOrder(snapshot: ThreadSnapshot): Iterable<Finding> {
  yield* sorts(snapshot);
  const runs = snapshot.runs.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  for (const [index, run] of runs.entries()) {
    yield* within(snapshot, run);
    const next = runs[index + 1];
    if (next !== undefined && placeOf(next) < run.internal.last_seq) {
      yield { id: next.id, detail: `began before ${run.id} had ended` };
    }
  }
  yield* newest(snapshot);
}

function* sorts({ threads, tenant, runs, messages, steps }: ThreadSnapshot): Iterable<Finding> {
  const known = new Map<string, string>();
  const expected: [Placed, string][] = [
    ...threads.map((doc): [Placed, string] => [doc, `thread/${tenant}/`]),
    ...runs.map((doc): [Placed, string] => [doc, "run/"]),
    ...messages.map((doc): [Placed, string] => [doc, "message/"]),
    ...steps.map((doc): [Placed, string] => [doc, `step/${doc.run_id}/`]),
  ];
  for (const [{ id, internal }, prefix] of expected) {
    const { sort } = internal;
    if (sort !== prefix + seqOf(sort) || seqOf(sort) === "") yield { id, detail: `is sorted as ${sort}` };
    const other = known.get(sort);
    if (other !== undefined) yield { id, detail: `has the place of ${other}` };
    known.set(sort, id);
  }
}

/** Between a run's creation and its last step, nothing is added to the thread but the run's own messages and steps. */
function* within(snapshot: ThreadSnapshot, run: RunDoc): Iterable<Finding> {
  const start = placeOf(run);
  const end = run.internal.last_seq;
  for (const doc of [...snapshot.messagesOf(run), ...snapshot.stepsOf(run)]) {
    if (placeOf(doc) <= start) yield { id: doc.id, detail: `is sorted before its run ${run.id}` };
    if (placeOf(doc) > end) yield { id: doc.id, detail: `is later than the newest that ${run.id} knows of` };
  }
  for (const message of snapshot.messages) {
    const place = placeOf(message);
    if (message.run_id === run.id || place < start) continue;
    if (!isTerminal(run.status) || place < end)
      yield { id: message.id, detail: `was added while ${run.id} was active` };
  }
}

/** No document is later than the thread's `last_seq`, behind which the next one is placed. */
function* newest({ thread, runs, messages }: ThreadSnapshot): Iterable<Finding> {
  if (thread === undefined) return;
  const active = thread.internal.active_run;
  for (const doc of [...runs, ...messages.filter((message) => message.run_id !== active || active === null)]) {
    if (placeOf(doc) > thread.internal.last_seq) {
      yield { id: doc.id, detail: "is later than the newest that its thread knows of" };
    }
  }
}

const placeOf = (doc: Placed) => seqOf(doc.internal.sort);
