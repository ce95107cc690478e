/** A run's messages are exactly those that its steps name: none is missing, none is doubled. */
import { isTerminal } from "../../../src/resources/run.ts";
import { type StepDoc, seqOf } from "../../../src/store/documents.ts";
import type { CheckOptions, Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* answersAsStepsSay(thread: ThreadSnapshot, { messagesAreDeleted }: CheckOptions): Iterable<Finding> {
  for (const run of thread.runs) {
    const steps = thread.stepsOf(run);
    const named = steps.map(messageOf).filter((id) => id !== undefined);
    const written = thread.messagesOf(run).map(({ id }) => id);
    for (const id of new Set(named)) {
      const times = named.filter((other) => other === id).length;
      if (times > 1) yield { id, detail: `is named by ${times} steps of ${run.id}` };
      if (!written.includes(id) && !messagesAreDeleted) {
        yield { id, detail: `is missing, though a step of ${run.id} names it` };
      }
    }
    for (const id of written) if (!named.includes(id)) yield { id, detail: `no step of ${run.id} names it` };
    if (run.status === "completed") yield* ending(run.id, steps);
    if (isTerminal(run.status)) yield* onePerTurn(run.id, steps, run.internal.turns);
  }
}

/** A completed run has said something last, and nothing in it was left undone. */
function* ending(run: string, steps: StepDoc[]): Iterable<Finding> {
  const last = steps.toSorted((a, b) => (seqOf(a.internal.sort) < seqOf(b.internal.sort) ? -1 : 1)).at(-1);
  if (last?.type !== "message_creation") yield { id: run, detail: "is completed without an answer at its end" };
  for (const { id, status } of steps) {
    if (status !== "completed") yield { id, detail: `is ${status} in a completed run` };
  }
}

/** A model call makes one message and one step of calls at the most. The last one may not have been finished. */
function* onePerTurn(run: string, steps: StepDoc[], turns: number): Iterable<Finding> {
  for (const type of ["message_creation", "tool_calls"] as const) {
    const count = steps.filter((step) => step.type === type).length;
    if (count > turns + 1)
      yield { id: run, detail: `has ${count} steps of ${type} from ${turns} finished model calls` };
  }
}

const messageOf = ({ step_details: details }: StepDoc) =>
  details.type === "message_creation" ? details.message_creation.message_id : undefined;
