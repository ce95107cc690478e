/**
 * Runs: which fields each status fills (docs/contract.md 3.1), that a run that has ended has no driver, and that its
 * snapshot is there.
 */
import { isTerminal, runObject } from "../../../src/resources/run.ts";
import { apiObject, type RunDoc } from "../../../src/store/documents.ts";
import type { CheckOptions, Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";
import { filled, formOf, inOrder } from "./fields.ts";

export function* runsAreWhole({ runs }: ThreadSnapshot, { tolerance }: CheckOptions): Iterable<Finding> {
  for (const run of runs) {
    yield* formOf(run.id, runObject, apiObject(run));
    yield* filled(run, expectedFields(run));
    yield* inOrder(run, ["created_at", "started_at", "completed_at"], tolerance);
    yield* inOrder(run, ["created_at", "failed_at"], tolerance);
    yield* inOrder(run, ["created_at", "cancelled_at"], tolerance);
    yield* ownership(run);
    if (run.internal.snapshot_missing) yield { id: run.id, detail: `its ${run.internal.snapshot} is missing` };
  }
}

function expectedFields({ status, started_at: startedAt }: RunDoc): Record<string, boolean> {
  const ended = isTerminal(status);
  const answered = status === "completed" || status === "incomplete";
  // A run that is queued, cancelled or expired may or may not have been started before.
  const started = answered || ["in_progress", "requires_action", "failed"].includes(status) || startedAt !== null;
  return {
    started_at: started,
    expires_at: !ended,
    usage: ended,
    required_action: status === "requires_action",
    completed_at: answered,
    failed_at: status === "failed",
    last_error: status === "failed",
    cancelled_at: status === "cancelled",
    incomplete_details: status === "incomplete",
  };
}

function* ownership({ id, status, internal }: RunDoc): Iterable<Finding> {
  const { lease, reserved, open } = internal;
  if (isTerminal(status)) {
    if (lease !== null || reserved !== null) yield { id, detail: `is ${status} and still owned` };
    if (open.length > 0) yield { id, detail: `is ${status} and names open objects: ${open.join(", ")}` };
  } else if (lease !== null && !["in_progress", "cancelling"].includes(status)) {
    yield { id, detail: `is ${status} and owned by ${lease.owner}` };
  } else if (status === "in_progress" && reserved === null) {
    yield { id, detail: "is in_progress without ids for its answer" };
  }
}
