/** Messages: which fields each status fills, and how they end with their run (docs/contract.md 3.3). */
import { type MessageIncompleteReason, messageObject } from "../../../src/resources/message.ts";
import { isTerminal, type RunStatus } from "../../../src/resources/run.ts";
import { apiObject, type MessageDoc, type RunDoc } from "../../../src/store/documents.ts";
import type { CheckOptions, Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";
import { filled, formOf, inOrder } from "./fields.ts";

/** How a message may be cut off by its run. One that the model had finished before stays completed. */
const REASONS: Partial<Record<RunStatus, MessageIncompleteReason[]>> = {
  incomplete: ["max_tokens"],
  failed: ["run_failed", "content_filter"],
  cancelled: ["run_cancelled"],
  expired: ["run_expired"],
};

export function* messagesAreWhole(thread: ThreadSnapshot, { tolerance }: CheckOptions): Iterable<Finding> {
  for (const message of thread.messages) {
    const { status } = message;
    yield* formOf(message.id, messageObject, apiObject(message));
    yield* filled(message, {
      completed_at: status === "completed",
      incomplete_at: status === "incomplete",
      incomplete_details: status === "incomplete",
      assistant_id: message.run_id !== null,
    });
    yield* inOrder(message, ["created_at", "completed_at"], tolerance);
    if (message.run_id === null && status !== "completed") {
      yield { id: message.id, detail: `is a client's message and ${status}` };
    }
  }
  for (const run of thread.runs) for (const message of thread.messagesOf(run)) yield* underItsRun(message, run);
}

function* underItsRun(message: MessageDoc, run: RunDoc): Iterable<Finding> {
  const { id, status, role, assistant_id: assistant, incomplete_details: details } = message;
  if (role !== "assistant") yield { id, detail: `is a run's message with the role ${role}` };
  if (assistant !== run.assistant_id) yield { id, detail: `is of ${assistant}, and its run of ${run.assistant_id}` };
  if (status === "in_progress") {
    if (isTerminal(run.status)) yield { id, detail: `is in_progress, and its run is ${run.status}` };
    else if (!run.internal.open.includes(id)) yield { id, detail: "is in_progress, and its run does not know it" };
  } else if (status === "incomplete" && details !== null && !(REASONS[run.status] ?? []).includes(details.reason)) {
    yield { id, detail: `is incomplete by ${details.reason}, and its run is ${run.status}` };
  }
}
