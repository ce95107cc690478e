import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import type { CompletionUsage } from "openai/resources/completions";
import { type ChatRequest, forcedFunction } from "./chat-request.ts";
import { newId } from "./ids.ts";
import { charactersIn, countPromptTokens, countTokens } from "./tokens.ts";
import type { Turn, TurnToolCall } from "./turn.ts";

export type FinishReason = NonNullable<ChatCompletionChunk.Choice["finish_reason"]>;

export interface AnswerCall {
  id: string;
  name: string;
  /** What is streamed, piece by piece; together they are the arguments. */
  pieces: string[];
}

/** A whole answer, ready to be written as one completion or as a stream of chunks. */
export interface Answer {
  /** The text in pieces; null when the answer has tool calls only. */
  text: string[] | null;
  calls: AnswerCall[];
  finishReason: FinishReason;
  /** Undefined: this answer is sent without usage. */
  usage: CompletionUsage | undefined;
}

export function answerOf(request: ChatRequest, turn: Turn): Answer {
  const calls = (turn.toolCalls ?? []).map(callOf);
  const text = turn.text === undefined && calls.length > 0 ? null : piecesOf(turn.text ?? "");
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Number.POSITIVE_INFINITY;
  const cut = cutTo(limit, text, calls);
  const finishReason = turn.finishReason ?? (cut.isCut ? "length" : usualFinishReason(request, cut.calls));
  return { text: cut.text, calls: cut.calls, finishReason, usage: usageOf(request, turn, cut) };
}

function callOf(call: TurnToolCall): AnswerCall {
  return {
    id: call.id ?? newId("call_"),
    name: call.name,
    pieces: call.pieces ?? argumentPieces(call.arguments ?? {}),
  };
}

/** Word by word, the white space with the word after it, as tokenizers do. */
function piecesOf(text: string | string[]): string[] {
  if (typeof text !== "string") return text;
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

function argumentPieces(value: string | Record<string, unknown>): string[] {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.match(/\s*\w+|\s*[^\w\s]+|\s+$/g) ?? [];
}

function usualFinishReason(request: ChatRequest, calls: AnswerCall[]): FinishReason {
  // The real API says "stop", not "tool_calls", when the tool choice names the function.
  return calls.length > 0 && forcedFunction(request) === undefined ? "tool_calls" : "stop";
}

interface CutAnswer {
  text: string[] | null;
  calls: AnswerCall[];
  tokens: number;
  isCut: boolean;
}

/** Keeps what fits into the limit, text first, then each call's name and arguments. */
function cutTo(limit: number, text: string[] | null, calls: AnswerCall[]): CutAnswer {
  const all = tokensOf(text, calls);
  if (all <= limit) return { text, calls, tokens: all, isCut: false };
  let room = charactersIn(limit);
  const keep = (pieces: string[]): string[] => {
    const kept: string[] = [];
    for (const piece of pieces) {
      if (room === 0) break;
      kept.push(piece.slice(0, room));
      room -= Math.min(room, piece.length);
    }
    return kept;
  };
  const keptText = text && keep(text);
  const keptCalls: AnswerCall[] = [];
  for (const call of calls) {
    if (room < call.name.length) break;
    room -= call.name.length;
    keptCalls.push({ ...call, pieces: keep(call.pieces) });
  }
  // An answer that is cut before its first call still has to say something: the empty text.
  return { text: keptCalls.length === 0 ? (keptText ?? []) : keptText, calls: keptCalls, tokens: limit, isCut: true };
}

function tokensOf(text: string[] | null, calls: AnswerCall[]): number {
  const texts = calls.map((call) => call.name + call.pieces.join(""));
  return countTokens((text ?? []).join("") + texts.join(""));
}

function usageOf(request: ChatRequest, turn: Turn, cut: CutAnswer): CompletionUsage | undefined {
  if (turn.usage === null) return undefined;
  const prompt = turn.usage?.prompt_tokens ?? countPromptTokens(request);
  const completion = turn.usage?.completion_tokens ?? cut.tokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: turn.usage?.total_tokens ?? prompt + completion,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
