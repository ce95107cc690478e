/** Runs: one request to the assistant to go on with a thread (docs/contract.md 2.1, 2.2, 3.1). */
import { z } from "zod";
import type { Assistant } from "./assistant.ts";
import {
  idOf,
  instructions,
  metadata,
  metadataObject,
  model,
  reasoningEffort,
  responseFormat,
  responseFormatObject,
  temperature,
  time,
  toolObject,
  toolResources,
  toolResourcesObject,
  tools,
  topP,
  usageObject,
} from "./common.ts";
import { TOOL_OUTPUTS_TOO_LARGE } from "./errors.ts";
import { MAX_OBJECT_BYTES, MAX_TOOL_CALLS, MAX_TOOL_OUTPUT, MAX_TOOL_OUTPUT_BYTES, sizeOf } from "./limits.ts";
import { createMessageRequest } from "./message.ts";
import { createThreadRequest } from "./thread.ts";

/** A run that has not ended this long after its creation expires. Seconds (docs/contract.md 3.1). */
export const RUN_LIFETIME = 600;

export const ACTIVE_STATUSES = ["queued", "in_progress", "requires_action", "cancelling"] as const;
export const TERMINAL_STATUSES = ["completed", "incomplete", "failed", "cancelled", "expired"] as const;
const runStatus = z.enum([...ACTIVE_STATUSES, ...TERMINAL_STATUSES]);
export type RunStatus = z.output<typeof runStatus>;

export const isTerminal = (status: RunStatus) => (TERMINAL_STATUSES as readonly RunStatus[]).includes(status);

export const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("function"), function: z.strictObject({ name: z.string().min(1).max(64) }) }),
    z.strictObject({ type: z.literal("file_search") }),
    z.strictObject({ type: z.literal("code_interpreter") }),
  ]),
]);
export type ToolChoice = z.output<typeof toolChoice>;

const truncationStrategy = z.strictObject({
  type: z.enum(["auto", "last_messages"]),
  last_messages: z.int().min(1).nullable().optional(),
});

/** The recordings show budgets below the 256 of the specification being accepted (docs/contract.md 2.1). */
const tokenBudget = z.int().min(1).nullable();

/** Created in one transaction with their run, its snapshot and its lock, which Cosmos DB limits to 100 writes. */
const MAX_ADDITIONAL_MESSAGES = 97;

const overrides = {
  assistant_id: idOf("assistant"),
  model: model.nullable().optional(),
  instructions: instructions.nullable().optional(),
  tools: tools.nullable().optional(),
  metadata: metadata.optional(),
  temperature: temperature.nullable().optional(),
  top_p: topP.nullable().optional(),
  reasoning_effort: reasoningEffort.nullable().optional(),
  stream: z.boolean().nullable().optional(),
  max_prompt_tokens: tokenBudget.optional(),
  max_completion_tokens: tokenBudget.optional(),
  truncation_strategy: truncationStrategy.nullable().optional(),
  tool_choice: toolChoice.nullable().optional(),
  parallel_tool_calls: z.boolean().optional(),
  response_format: responseFormat.optional(),
};

export const createRunRequest = z.strictObject({
  ...overrides,
  additional_instructions: instructions.nullable().optional(),
  additional_messages: z.array(createMessageRequest).max(MAX_ADDITIONAL_MESSAGES).nullable().optional(),
});
export type CreateRunRequest = z.output<typeof createRunRequest>;

export const createThreadAndRunRequest = z.strictObject({
  ...overrides,
  thread: createThreadRequest.optional(),
  tool_resources: toolResources.optional(),
});
export type CreateThreadAndRunRequest = z.output<typeof createThreadAndRunRequest>;

export const modifyRunRequest = z.strictObject({ metadata: metadata.optional() });

const toolOutput = z.strictObject({ tool_call_id: z.string(), output: z.string().max(MAX_TOOL_OUTPUT).default("") });

const bytesOf = (outputs: { output: string }[]) =>
  outputs.reduce((sum, { output }) => sum + Buffer.byteLength(output), 0);

export const submitToolOutputsRequest = z.strictObject({
  tool_outputs: z
    .array(toolOutput)
    .max(MAX_TOOL_CALLS)
    .refine((outputs) => bytesOf(outputs) <= MAX_TOOL_OUTPUT_BYTES, TOOL_OUTPUTS_TOO_LARGE)
    .superRefine((outputs, context) => {
      const bytes = sizeOf(outputs);
      const params = { kind: "too_large", bytes, maximum: MAX_OBJECT_BYTES };
      if (bytes > MAX_OBJECT_BYTES) context.addIssue({ code: "custom", params, input: outputs });
    }),
  stream: z.boolean().nullable().optional(),
});
export type SubmitToolOutputsRequest = z.output<typeof submitToolOutputsRequest>;

export const runErrorObject = z.strictObject({ code: z.string(), message: z.string() });
export type RunError = z.output<typeof runErrorObject>;

/** What a client reads where the details are none of its business: the log has them. */
export const SERVER_ERROR: RunError = { code: "server_error", message: "Sorry, something went wrong." };

/** A function that the model calls; `arguments` is JSON text as the model wrote it. */
export const requiredCallObject = z.strictObject({
  id: z.string(),
  type: z.literal("function"),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
});

export const requiredActionObject = z.strictObject({
  type: z.literal("submit_tool_outputs"),
  submit_tool_outputs: z.strictObject({ tool_calls: z.array(requiredCallObject) }),
});
export type RequiredAction = z.output<typeof requiredActionObject>;

export const runObject = z.strictObject({
  id: z.string(),
  object: z.literal("thread.run"),
  created_at: time,
  assistant_id: z.string(),
  thread_id: z.string(),
  status: runStatus,
  started_at: time.nullable(),
  expires_at: time.nullable(),
  cancelled_at: time.nullable(),
  failed_at: time.nullable(),
  completed_at: time.nullable(),
  required_action: requiredActionObject.nullable(),
  last_error: runErrorObject.nullable(),
  model: z.string(),
  instructions: z.string().nullable(),
  tools: z.array(toolObject),
  tool_resources: toolResourcesObject,
  metadata: metadataObject,
  temperature: z.number(),
  top_p: z.number(),
  reasoning_effort: z.string().nullable(),
  max_completion_tokens: z.int().nullable(),
  max_prompt_tokens: z.int().nullable(),
  truncation_strategy: truncationStrategy.required(),
  incomplete_details: z.strictObject({ reason: z.enum(["max_prompt_tokens", "max_completion_tokens"]) }).nullable(),
  usage: usageObject.nullable(),
  response_format: responseFormatObject,
  tool_choice: toolChoice,
  parallel_tool_calls: z.boolean(),
});
export type Run = z.output<typeof runObject>;
export type RunIncompleteReason = NonNullable<Run["incomplete_details"]>["reason"];

/**
 * A queued run: a snapshot of the assistant with the request's overrides, so later edits of the assistant do not reach
 * it. `createdAt` and `lifetime` in seconds.
 */
export function newRun(
  request: Omit<CreateRunRequest, "additional_messages">,
  assistant: Assistant,
  id: string,
  threadId: string,
  createdAt: number,
  lifetime = RUN_LIFETIME,
): Run {
  return {
    id,
    object: "thread.run",
    created_at: createdAt,
    assistant_id: assistant.id,
    thread_id: threadId,
    status: "queued",
    started_at: null,
    expires_at: createdAt + lifetime,
    cancelled_at: null,
    failed_at: null,
    completed_at: null,
    required_action: null,
    last_error: null,
    model: request.model ?? assistant.model,
    instructions: effectiveInstructions(request, assistant),
    tools: request.tools ?? assistant.tools,
    tool_resources: {},
    metadata: request.metadata ?? {},
    temperature: request.temperature ?? assistant.temperature,
    top_p: request.top_p ?? assistant.top_p,
    reasoning_effort: request.reasoning_effort ?? assistant.reasoning_effort,
    max_completion_tokens: request.max_completion_tokens ?? null,
    max_prompt_tokens: request.max_prompt_tokens ?? null,
    truncation_strategy: {
      type: request.truncation_strategy?.type ?? "auto",
      last_messages: request.truncation_strategy?.last_messages ?? null,
    },
    incomplete_details: null,
    usage: null,
    response_format: request.response_format ?? assistant.response_format,
    tool_choice: request.tool_choice ?? "auto",
    parallel_tool_calls: request.parallel_tool_calls ?? true,
  };
}

/** `instructions` replace the assistant's, `additional_instructions` are appended (docs/contract.md 6.1). */
function effectiveInstructions(
  request: Pick<CreateRunRequest, "instructions" | "additional_instructions">,
  assistant: Assistant,
): string | null {
  const base = request.instructions ?? assistant.instructions;
  const parts = [base, request.additional_instructions].filter((part) => part !== null && part !== undefined);
  const said = parts.filter((part) => part !== "");
  return said.length === 0 ? (parts[0] ?? null) : said.join("\n\n");
}
