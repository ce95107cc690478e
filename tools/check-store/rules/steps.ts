/** Steps: which fields each status fills (docs/contract.md 3.2), and which statuses go with their run's. */
import { isTerminal } from "../../../src/resources/run.ts";
import { isFunctionCall, runStepObject } from "../../../src/resources/step.ts";
import { apiObject, type RunDoc, type StepDoc } from "../../../src/store/documents.ts";
import type { CheckOptions, Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";
import { filled, formOf, inOrder } from "./fields.ts";

export function* stepsAreWhole(thread: ThreadSnapshot, { tolerance }: CheckOptions): Iterable<Finding> {
  for (const step of thread.steps) {
    const { id, status } = step;
    yield* formOf(id, runStepObject, apiObject(step));
    yield* filled(step, {
      completed_at: status === "completed",
      failed_at: status === "failed",
      last_error: status === "failed",
      cancelled_at: status === "cancelled",
      expired_at: status === "expired",
      usage: status !== "in_progress",
    });
    yield* inOrder(step, ["created_at", "completed_at"], tolerance);
    yield* outputs(step);
  }
  for (const run of thread.runs) for (const step of thread.stepsOf(run)) yield* underItsRun(step, run);
}

function* outputs({ id, type, status, step_details: details }: StepDoc): Iterable<Finding> {
  if (type !== details.type) yield { id, detail: `is of type ${type} with details of ${details.type}` };
  if (status !== "completed" || details.type !== "tool_calls") return;
  const missing = details.tool_calls.filter((call) => isFunctionCall(call) && call.function.output === null).length;
  if (missing > 0) yield { id, detail: `is completed, and ${missing} of its calls have no output` };
}

function* underItsRun({ id, type, status, last_error: error }: StepDoc, run: RunDoc): Iterable<Finding> {
  if (status === "completed") return;
  // A token budget cut the run off while the model wrote its calls.
  if (type === "tool_calls" && status === "cancelled" && run.status === "incomplete") return;
  if (status === "in_progress") {
    if (isTerminal(run.status)) yield { id, detail: `is in_progress, and its run is ${run.status}` };
    else if (!run.internal.open.includes(id)) yield { id, detail: "is in_progress, and its run does not know it" };
  } else if (status !== run.status) {
    yield { id, detail: `is ${status}, and its run is ${run.status}` };
  } else if (status === "failed" && error?.code !== run.last_error?.code) {
    yield { id, detail: `failed with ${error?.code}, and its run with ${run.last_error?.code}` };
  }
}
