/**
 * The life of a run as a table: states, what may follow, and what each transition writes on the run, its open step and
 * its open message (docs/contract.md 3). Pure: the time is an argument, nothing is read or written.
 */
import { toSeconds } from "../resources/common.ts";
import { seqOfMintedId } from "../resources/ids.ts";
import type { MessageIncompleteReason } from "../resources/message.ts";
import type { RequiredAction, RunError, RunIncompleteReason, RunStatus } from "../resources/run.ts";
import { isTerminal } from "../resources/run.ts";
import type { FunctionToolCall } from "../resources/step.ts";
import type { MessageDoc, ReservedIds, RunDoc, StepDoc } from "../store/documents.ts";

/** Which statuses a run may pass to from each. */
const NEXT: Record<RunStatus, readonly RunStatus[]> = {
  queued: ["in_progress", "cancelling", "cancelled", "failed", "expired"],
  in_progress: ["requires_action", "cancelling", "completed", "incomplete", "failed", "expired"],
  requires_action: ["queued", "in_progress", "cancelling", "cancelled", "failed", "expired"],
  cancelling: ["cancelled", "failed", "expired"],
  completed: [],
  incomplete: [],
  failed: [],
  cancelled: [],
  expired: [],
};

export const mayBecome = (from: RunStatus, to: RunStatus) => NEXT[from].includes(to);

export const acceptsToolOutputs = (status: RunStatus) => status === "requires_action";
export const mayBeCancelled = (status: RunStatus) => mayBecome(status, "cancelling");

/** Whether an active run has passed its `expires_at`, so that any process may end it. `now` in milliseconds. */
export const isExpired = (run: { status: RunStatus; expires_at: number | null }, now: number) =>
  !isTerminal(run.status) && run.expires_at !== null && now >= run.expires_at * 1000;

/** No lease, or an expired one: any worker may claim the run. `now` in milliseconds. */
export const isUnowned = (run: RunDoc, now: number) => run.internal.lease === null || run.internal.lease.until <= now;

/**
 * Whether a driver has released the run for later: the next one waits until `due`, however many wake-ups come before.
 * `now` in milliseconds.
 */
export const isResting = (run: RunDoc, now: number) =>
  run.status === "in_progress" && run.internal.lease === null && (run.internal.due ?? 0) > now;

/** How a run ends. */
export type Ending =
  | { status: "completed" }
  | { status: "incomplete"; reason: RunIncompleteReason }
  | { status: "failed"; error: RunError }
  | { status: "cancelled" }
  | { status: "expired" };

/** Time that a wake-up may take before the sweep sends another. Milliseconds. */
export const WAKE_UP_GRACE = 15_000;

/**
 * queued -> in_progress, or the same run again if its driver has died or released it. A fresh claim overwrites
 * started_at (docs/contract.md 3.1); a takeover keeps it, and the reserved ids. Either counts as an attempt. Times in
 * milliseconds.
 */
export function claimed(run: RunDoc, owner: string, reserved: ReservedIds, now: number, leaseDuration: number): RunDoc {
  const fields = claimFields(owner, reserved, now, leaseDuration);
  if (run.status === "in_progress" && run.internal.reserved !== null) {
    const { lease, due } = fields.internal;
    return { ...run, internal: { ...run.internal, lease, due, attempts: run.internal.attempts + 1 } };
  }
  if (run.status !== "in_progress") assertMayBecome(run, "in_progress");
  return { ...run, ...fields, internal: { ...run.internal, ...fields.internal } };
}

/** What a fresh claim writes; it does not depend on the run, so that one patch can claim without a read. */
export function claimFields(owner: string, reserved: ReservedIds, now: number, leaseDuration: number) {
  const until = now + leaseDuration;
  return {
    status: "in_progress" as const,
    started_at: toSeconds(now),
    internal: {
      lease: { owner, until },
      due: until,
      reserved,
      last_seq: lastReserved(reserved),
      attempts: 1,
    },
  };
}

const lastReserved = (reserved: ReservedIds) => seqOfMintedId(reserved.lateMessage ?? reserved.toolStep);

/** A sign of life of the driver: the lease counts from now. Times in milliseconds. */
export function renewed(run: RunDoc, now: number, leaseDuration: number): RunDoc {
  const { lease } = run.internal;
  if (lease === null) throw new Error(`run ${run.id} has no lease to renew`);
  const until = now + leaseDuration;
  return { ...run, internal: { ...run.internal, lease: { owner: lease.owner, until }, due: until } };
}

/**
 * The model has written calls that must not be done twice without need: their step is stored, and the driver
 * of the run does them, the first attempt of it. `hasReply`: a message has begun with the images that waited for one.
 */
export function pending(run: RunDoc, step: StepDoc, hasReply: boolean): RunDoc {
  const { images = [], ...internal } = run.internal;
  const left = hasReply ? [] : images;
  return {
    ...run,
    internal: { ...internal, pending: "tools", open: [step.id], attempts: 1, ...(left.length > 0 && { images: left }) },
  };
}

/**
 * Hosted tools have done what the model asked for: its next call begins, the first attempt of it, with ids of its own.
 * Times in milliseconds.
 */
export function continued(run: RunDoc, reserved: ReservedIds, now: number, leaseDuration: number): RunDoc {
  const { pending: _done, ...internal } = renewed(run, now, leaseDuration).internal;
  return {
    ...run,
    internal: { ...internal, reserved, last_seq: lastReserved(reserved), open: [], attempts: 1 },
  };
}

/** Another attempt of the same driver, which keeps the run. */
export function retried(run: RunDoc): RunDoc {
  return { ...run, internal: { ...run.internal, attempts: run.internal.attempts + 1 } };
}

/** in_progress, without a driver until `due` (milliseconds). An attempt that did not ask the model is `uncounted`. */
export function released(run: RunDoc, due: number, uncounted: boolean): RunDoc {
  const attempts = Math.max(0, run.internal.attempts - (uncounted ? 1 : 0));
  return { ...run, internal: { ...run.internal, lease: null, due, attempts } };
}

/** in_progress -> requires_action: in its open step the model called functions. Due again when it expires. */
export function paused(run: RunDoc, step: StepDoc, calls: FunctionToolCall[]): RunDoc {
  assertMayBecome(run, "requires_action");
  const requiredAction: RequiredAction = {
    type: "submit_tool_outputs",
    submit_tool_outputs: {
      tool_calls: calls.map(({ id, function: { name, arguments: text } }) => ({
        id,
        type: "function",
        function: { name, arguments: text },
      })),
    },
  };
  const { pending: _done, ...before } = run.internal;
  const internal = { ...before, lease: null, reserved: null, open: [step.id], attempts: 0 };
  if (run.expires_at !== null) internal.due = run.expires_at * 1000;
  return { ...run, status: "requires_action", required_action: requiredAction, internal };
}

/** requires_action -> queued: all outputs are there. `now` in milliseconds. */
export function resumed(run: RunDoc, now: number): RunDoc {
  assertMayBecome(run, "queued");
  return {
    ...run,
    status: "queued",
    required_action: null,
    internal: { ...run.internal, open: [], due: now + WAKE_UP_GRACE },
  };
}

/** -> cancelling: the run's driver will see it and end the run. `now` in milliseconds. */
export function cancelling(run: RunDoc, now: number): RunDoc {
  assertMayBecome(run, "cancelling");
  const due = Math.max(now, run.internal.lease?.until ?? 0);
  return { ...run, status: "cancelling", required_action: null, internal: { ...run.internal, due } };
}

/** -> a terminal status; only now the run shows its usage. `now` in milliseconds. */
export function ended(run: RunDoc, ending: Ending, now: number): RunDoc {
  assertMayBecome(run, ending.status);
  const at = toSeconds(now);
  const { due: _due, pending: _pending, images: _images, ...internal } = run.internal;
  return {
    ...run,
    status: ending.status,
    // A run that failed before any driver had started it shows the moment of both (docs/contract.md 6.4).
    started_at: ending.status === "failed" ? (run.started_at ?? at) : run.started_at,
    expires_at: null,
    completed_at: ending.status === "completed" || ending.status === "incomplete" ? at : null,
    failed_at: ending.status === "failed" ? at : null,
    cancelled_at: ending.status === "cancelled" ? at : null,
    last_error: ending.status === "failed" ? ending.error : null,
    incomplete_details: ending.status === "incomplete" ? { reason: ending.reason } : null,
    required_action: null,
    usage: internal.usage,
    internal: { ...internal, lease: null, reserved: null, open: [], attempts: 0 },
  };
}

/** A step that did its work; only now it shows its usage. `now` in milliseconds. */
export function completedStep(step: StepDoc, now: number): StepDoc {
  return { ...step, status: "completed", completed_at: toSeconds(now), usage: step.internal.usage };
}

/**
 * A step that was open when its run ended. A run that is cut off by its token budget completes the step of its message;
 * a step of function calls is completed by their outputs only, which will never come.
 */
export function endedStep(step: StepDoc, ending: Ending, now: number): StepDoc {
  if (step.status !== "in_progress") return step;
  const at = toSeconds(now);
  const { usage } = step.internal;
  switch (ending.status) {
    case "completed":
      return completedStep(step, now);
    case "incomplete":
      if (step.step_details.type !== "tool_calls") return completedStep(step, now);
      return { ...step, status: "cancelled", cancelled_at: at, usage };
    case "failed":
      return { ...step, status: "failed", failed_at: at, last_error: ending.error, usage };
    case "cancelled":
      return { ...step, status: "cancelled", cancelled_at: at, usage };
    case "expired":
      return { ...step, status: "expired", expired_at: at, usage };
  }
}

export function completedMessage(message: MessageDoc, now: number): MessageDoc {
  return { ...message, status: "completed", completed_at: toSeconds(now) };
}

const INCOMPLETE_REASON: Record<Ending["status"], MessageIncompleteReason> = {
  completed: "max_tokens",
  incomplete: "max_tokens",
  failed: "run_failed",
  cancelled: "run_cancelled",
  expired: "run_expired",
};

/** A message that was being written when its run ended: it keeps what is there. */
export function endedMessage(message: MessageDoc, ending: Ending, now: number): MessageDoc {
  if (message.status !== "in_progress") return message;
  if (ending.status === "completed") return completedMessage(message, now);
  return incompleteMessage(message, INCOMPLETE_REASON[ending.status], now);
}

export function incompleteMessage(message: MessageDoc, reason: MessageIncompleteReason, now: number): MessageDoc {
  return { ...message, status: "incomplete", incomplete_details: { reason }, incomplete_at: toSeconds(now) };
}

function assertMayBecome(run: RunDoc, status: RunStatus): void {
  if (!mayBecome(run.status, status)) throw new Error(`a run cannot pass from ${run.status} to ${status}`);
}
