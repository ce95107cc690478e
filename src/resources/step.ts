/** Run steps: one decision of the model, a message or a set of tool calls (docs/contract.md 2.2, 3.2). */
import { z } from "zod";
import { metadataObject, time, usageObject } from "./common.ts";
import { requiredCallObject, runErrorObject } from "./run.ts";

/** What the model called and, once the client has submitted it, what came out. */
export const toolCallObject = requiredCallObject.extend({
  function: requiredCallObject.shape.function.extend({ output: z.string().nullable() }),
});
export type FunctionToolCall = z.output<typeof toolCallObject>;
export type ToolCall = FunctionToolCall;

export const stepDetailsObject = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("message_creation"),
    message_creation: z.strictObject({ message_id: z.string() }),
  }),
  z.strictObject({ type: z.literal("tool_calls"), tool_calls: z.array(toolCallObject) }),
]);
export type StepDetails = z.output<typeof stepDetailsObject>;

export const runStepObject = z.strictObject({
  id: z.string(),
  object: z.literal("thread.run.step"),
  created_at: time,
  run_id: z.string(),
  assistant_id: z.string(),
  thread_id: z.string(),
  type: z.enum(["message_creation", "tool_calls"]),
  status: z.enum(["in_progress", "completed", "failed", "cancelled", "expired"]),
  cancelled_at: time.nullable(),
  completed_at: time.nullable(),
  expires_at: time.nullable(),
  expired_at: time.nullable(),
  failed_at: time.nullable(),
  last_error: runErrorObject.nullable(),
  step_details: stepDetailsObject,
  usage: usageObject.nullable(),
  metadata: metadataObject,
});
export type RunStep = z.output<typeof runStepObject>;

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
