/** Run steps: one decision of the model, a message or a set of tool calls (contract 2.2, 3.2). */
import type { Usage } from "./common.ts";
import type { RunError } from "./run.ts";

export interface FunctionToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string; output: string | null };
}
export type ToolCall = FunctionToolCall;

export type StepDetails =
  | { type: "message_creation"; message_creation: { message_id: string } }
  | { type: "tool_calls"; tool_calls: ToolCall[] };

export interface RunStep {
  id: string;
  object: "thread.run.step";
  created_at: number;
  run_id: string;
  assistant_id: string;
  thread_id: string;
  type: StepDetails["type"];
  status: "in_progress" | "completed" | "failed" | "cancelled" | "expired";
  cancelled_at: number | null;
  completed_at: number | null;
  expires_at: number | null;
  expired_at: number | null;
  failed_at: number | null;
  last_error: RunError | null;
  step_details: StepDetails;
  usage: Usage | null;
  metadata: Record<string, string>;
}

export function newStep(
  run: { id: string; assistant_id: string; thread_id: string; expires_at: number | null },
  id: string,
  details: StepDetails,
  createdAt: number,
): RunStep {
  return {
    id,
    object: "thread.run.step",
    created_at: createdAt,
    run_id: run.id,
    assistant_id: run.assistant_id,
    thread_id: run.thread_id,
    type: details.type,
    status: "in_progress",
    cancelled_at: null,
    completed_at: null,
    expires_at: run.expires_at,
    expired_at: null,
    failed_at: null,
    last_error: null,
    step_details: details,
    usage: null,
    metadata: {},
  };
}
