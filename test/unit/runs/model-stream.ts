/** Streams of chat completions as models send them, and what a run makes of one. */
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { type AnswerPiece, type Fields, PieceReader } from "../../../src/model/pieces.ts";
import { Turn } from "../../../src/runs/turn.ts";
import { NOW, RESERVED, runIn } from "../documents.ts";
import { StreamReader } from "./stream-reader.ts";

type FinishReason = ChatCompletionChunk.Choice["finish_reason"];

/** A piece of a call as servers send it: not all of them send all that the SDK's type promises. */
export interface CallPiece {
  index?: number;
  id?: string;
  type?: string;
  function?: { name?: string; arguments?: string };
}

function chunk(choices: object[], usage?: object): ChatCompletionChunk {
  const frame = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-4o", choices, usage };
  return frame as unknown as ChatCompletionChunk;
}

const delta = (fields: object, reason: FinishReason = null) =>
  chunk([{ index: 0, delta: fields, finish_reason: reason }]);

export const role = () => delta({ role: "assistant", content: "", refusal: null });
export const says = (content: string) => delta({ content });
export const refuses = (refusal: string) => delta({ refusal });
export const calls = (...pieces: CallPiece[]) => delta({ tool_calls: pieces });
export const finish = (reason: FinishReason) => delta({}, reason);
export const usage = (prompt: number, completion: number) =>
  chunk([], { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion });
/** Anything that a server puts into a choice. */
export const choice = (fields: object) => chunk([{ index: 0, finish_reason: null, ...fields }]);

/** A call opened as OpenAI does: id and name with empty arguments. */
export const opens = (index: number, id: string, name: string) =>
  calls({ index, id, type: "function", function: { name, arguments: "" } });
export const goesOn = (index: number, text: string) => calls({ index, function: { arguments: text } });

/** A chunk as a turn gets it. */
export const piece = (chunk: object): AnswerPiece => new PieceReader().read({ ...chunk } satisfies Fields);

/** Feeds these chunks to a turn of a run under way; every event is read by the strict reader as it comes. */
export function turnOf(chunks: ChatCompletionChunk[], { closed = true } = {}) {
  const events: { event: string; data: unknown }[] = [];
  const reader = new StreamReader();
  const turn = new Turn(
    runIn("in_progress"),
    RESERVED,
    (event) => {
      events.push(structuredClone(event));
      reader.read(event);
    },
    () => NOW,
  );
  const pieces = new PieceReader();
  for (const each of chunks) turn.apply(pieces.read({ ...each }));
  if (closed) turn.close();
  return { turn, events, reader, names: events.map(({ event }) => event) };
}
