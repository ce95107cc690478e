import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";
import type { Answer } from "./answer.ts";
import type { ChatRequest } from "./chat-request.ts";
import { newId } from "./ids.ts";

/** The whole answer as `POST /v1/chat/completions` gives it without streaming. */
export function completionOf(request: ChatRequest, answer: Answer): ChatCompletion {
  const toolCalls = answer.calls.map((call) => {
    return { id: call.id, type: "function" as const, function: { name: call.name, arguments: call.pieces.join("") } };
  });
  const message = {
    role: "assistant" as const,
    content: answer.text?.join("") ?? null,
    refusal: null,
    annotations: [],
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
  };
  return {
    ...headOf(request),
    object: "chat.completion",
    choices: [{ index: 0, message, logprobs: null, finish_reason: answer.finishReason }],
    ...(answer.usage ? { usage: answer.usage } : {}),
  };
}

type Delta = ChatCompletionChunk.Choice.Delta;

/**
 * The answer as server-sent events in the order and shape of the real API, grouped by the moment they are due: each
 * group has one piece of text or arguments; the first also says the role, the last also how the answer ends.
 */
export interface ChunkGroups {
  /** What goes before the first piece: the role. */
  opening: string;
  /** One a piece. */
  pieces: string[];
  /** Finish reason, usage and `[DONE]`. */
  closing: string;
}

export function chunksOf(request: ChatRequest, answer: Answer): ChunkGroups {
  const withUsage = request.stream_options?.include_usage === true && answer.usage !== undefined;
  const head = { ...headOf(request), object: "chat.completion.chunk" as const };
  const frame = (delta: Delta, finish: Answer["finishReason"] | null = null) => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
    return event({ ...head, choices, ...(withUsage ? { usage: null } : {}) });
  };
  const closing = frame({}, answer.finishReason);
  const usage = withUsage && answer.usage ? event({ ...head, choices: [], usage: answer.usage }) : "";
  return { ...deltasOf(answer, frame), closing: `${closing}${usage}data: [DONE]\n\n` };
}

function deltasOf(answer: Answer, frame: (delta: Delta) => string): { opening: string; pieces: string[] } {
  const pieces = (answer.text ?? []).map((content) => frame({ content }));
  // With a single call and no text, the real API names the call in the chunk that says the role.
  const single = answer.text === null && answer.calls.length === 1;
  const role: Delta = { role: "assistant", content: answer.text === null ? null : "", refusal: null };
  let opening = single ? "" : frame(role);
  for (const [index, call] of answer.calls.entries()) {
    const named = { index, id: call.id, type: "function" as const, function: { name: call.name, arguments: "" } };
    let start = single ? "" : frame({ tool_calls: [named] });
    if (single) opening = frame({ ...role, tool_calls: [named] });
    for (const piece of call.pieces) {
      pieces.push(start + frame({ tool_calls: [{ index, function: { arguments: piece } }] }));
      start = "";
    }
    if (start !== "") pieces.push(start);
  }
  return { opening, pieces };
}

/** Azure's first chunk: content filter results of the prompt, with no choice and nothing else filled in. */
export const AZURE_PROMPT_FILTER_CHUNK = event({
  choices: [],
  created: 0,
  id: "",
  model: "",
  object: "",
  prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
});

function headOf(request: ChatRequest) {
  return {
    id: newId("chatcmpl-"),
    created: Math.floor(Date.now() / 1000),
    model: request.model,
    service_tier: "default" as const,
    system_fingerprint: "simulated",
  };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
