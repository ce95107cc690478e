/** When a client has the first token of an answer. */
import type OpenAI from "openai";
import type { RunCreateParamsStreaming } from "openai/resources/beta/threads/runs/runs";
import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";
import type { Subject } from "./subject.ts";

/**
 * Milliseconds from asking for a streamed run to its first piece of text. Reads the stream to its end, so that the rest
 * of one answer does not slow the next measurement.
 */
export async function firstTokenOf(
  { sdk }: Subject,
  threadId: string,
  run: Omit<RunCreateParamsStreaming, "stream">,
): Promise<number> {
  const started = performance.now();
  let first: number | undefined;
  for await (const { event } of await sdk.beta.threads.runs.create(threadId, { ...run, stream: true })) {
    if (event === "thread.message.delta") first ??= performance.now() - started;
  }
  if (first === undefined) throw new Error(`a run on ${threadId} has said nothing`);
  return first;
}

/** The same for a model that is asked directly. */
export async function firstTokenOfModel(
  client: OpenAI,
  request: Omit<ChatCompletionCreateParamsStreaming, "stream">,
): Promise<number> {
  const started = performance.now();
  let first: number | undefined;
  for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
    if (choices[0]?.delta.content) first ??= performance.now() - started;
  }
  if (first === undefined) throw new Error(`the model ${request.model} has said nothing`);
  return first;
}
