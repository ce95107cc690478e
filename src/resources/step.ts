/** Run steps: one decision of the model, a message or a set of tool calls (docs/contract.md 2.2, 3.2). */
import { z } from "zod";
import { metadataObject, rankingOptionsObject, time, usageObject } from "./common.ts";
import { requiredCallObject, runErrorObject } from "./run.ts";

/** A function of the client's that the model called and, once the client has submitted it, what came out. */
const functionCallObject = requiredCallObject.extend({
  function: requiredCallObject.shape.function.extend({ output: z.string().nullable() }),
});
export type FunctionToolCall = z.output<typeof functionCallObject>;

/** `content` only comes with a step that is asked for with it (`include`). */
const fileSearchResultObject = z.strictObject({
  file_id: z.string(),
  file_name: z.string(),
  score: z.number(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  content: z.array(z.strictObject({ type: z.literal("text"), text: z.string() })).optional(),
});
export type FileSearchResult = z.output<typeof fileSearchResultObject>;

/** A search that the server did for the model. What was searched for is not shown. */
export const fileSearchCallObject = z.strictObject({
  id: z.string(),
  type: z.literal("file_search"),
  file_search: z.strictObject({ ranking_options: rankingOptionsObject, results: z.array(fileSearchResultObject) }),
});
export type FileSearchToolCall = z.output<typeof fileSearchCallObject>;

/** What code has put out: text, or an image that it has drawn. */
export const codeOutputObject = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("logs"), logs: z.string() }),
  z.strictObject({ type: z.literal("image"), image: z.strictObject({ file_id: z.string() }) }),
]);
export type CodeOutput = z.output<typeof codeOutputObject>;

/** Code that the server ran for the model. */
export const codeCallObject = z.strictObject({
  id: z.string(),
  type: z.literal("code_interpreter"),
  code_interpreter: z.strictObject({ input: z.string(), outputs: z.array(codeOutputObject) }),
});
export type CodeToolCall = z.output<typeof codeCallObject>;

export const toolCallObject = z.discriminatedUnion("type", [functionCallObject, fileSearchCallObject, codeCallObject]);
export type ToolCall = z.output<typeof toolCallObject>;

/** A call that the server does itself, inside the run. */
export type HostedToolCall = Exclude<ToolCall, FunctionToolCall>;

export const isFunctionCall = (call: ToolCall): call is FunctionToolCall => call.type === "function";

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

/** A step without the texts that its searches have found. */
export function withoutContents(step: RunStep): RunStep {
  const { step_details: details } = step;
  if (details.type !== "tool_calls" || details.tool_calls.every(isFunctionCall)) return step;
  const calls = details.tool_calls.map((call) => {
    if (call.type !== "file_search") return call;
    const results = call.file_search.results.map(({ content: _, ...result }) => result);
    return { ...call, file_search: { ...call.file_search, results } };
  });
  return { ...step, step_details: { type: "tool_calls", tool_calls: calls } };
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
