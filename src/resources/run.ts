/** Runs: one request to the assistant to go on with a thread (contract 2.1, 2.2, 3.1). */
import { z } from "zod";
import type { Assistant } from "./assistant.ts";
import {
  idOf,
  instructions,
  type Metadata,
  metadata,
  model,
  type ResponseFormat,
  reasoningEffort,
  responseFormat,
  type Tool,
  type ToolResources,
  temperature,
  toolResources,
  tools,
  topP,
  type Usage,
} from "./common.ts";
import { createMessageRequest } from "./message.ts";
import { createThreadRequest } from "./thread.ts";

/** A run that has not ended this long after its creation expires. Seconds (contract 3.1). */
export const RUN_LIFETIME = 600;

export const ACTIVE_STATUSES = ["queued", "in_progress", "requires_action", "cancelling"] as const;
export const TERMINAL_STATUSES = ["completed", "incomplete", "failed", "cancelled", "expired"] as const;
export type RunStatus = (typeof ACTIVE_STATUSES)[number] | (typeof TERMINAL_STATUSES)[number];

export const isTerminal = (status: RunStatus) => (TERMINAL_STATUSES as readonly RunStatus[]).includes(status);

const toolChoice = z.union([
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

/** The recordings show budgets below the 256 of the specification being accepted (contract 2.1). */
const tokenBudget = z.int().min(1).nullable();

/** They are created in one transaction with their run, which Cosmos DB limits to 100 writes. */
const MAX_ADDITIONAL_MESSAGES = 98;

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

export const submitToolOutputsRequest = z.strictObject({
  tool_outputs: z.array(z.strictObject({ tool_call_id: z.string(), output: z.string().default("") })),
  stream: z.boolean().nullable().optional(),
});
export type SubmitToolOutputsRequest = z.output<typeof submitToolOutputsRequest>;

export interface RunError {
  code: string;
  message: string;
}

export type RunIncompleteReason = "max_prompt_tokens" | "max_completion_tokens";

export interface RequiredAction {
  type: "submit_tool_outputs";
  submit_tool_outputs: {
    tool_calls: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  };
}

export interface Run {
  id: string;
  object: "thread.run";
  created_at: number;
  assistant_id: string;
  thread_id: string;
  status: RunStatus;
  started_at: number | null;
  expires_at: number | null;
  cancelled_at: number | null;
  failed_at: number | null;
  completed_at: number | null;
  required_action: RequiredAction | null;
  last_error: RunError | null;
  model: string;
  instructions: string | null;
  tools: Tool[];
  tool_resources: ToolResources;
  metadata: Metadata;
  temperature: number;
  top_p: number;
  reasoning_effort: string | null;
  max_completion_tokens: number | null;
  max_prompt_tokens: number | null;
  truncation_strategy: { type: "auto" | "last_messages"; last_messages: number | null };
  incomplete_details: { reason: RunIncompleteReason } | null;
  usage: Usage | null;
  response_format: ResponseFormat;
  tool_choice: ToolChoice;
  parallel_tool_calls: boolean;
}

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

/** `instructions` replace the assistant's, `additional_instructions` are appended (contract 6.1). */
function effectiveInstructions(
  request: Pick<CreateRunRequest, "instructions" | "additional_instructions">,
  assistant: Assistant,
): string | null {
  const base = request.instructions ?? assistant.instructions;
  const parts = [base, request.additional_instructions].filter((part) => part !== null && part !== undefined);
  return parts.length === 0 ? null : parts.join("\n\n");
}
