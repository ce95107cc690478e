/**
 * What servers send in a chat completion, made into what a run can use. Servers differ, so nothing is trusted: what is
 * unknown, empty or of another type is skipped, and what is kept has the type that is promised here. Written by hand,
 * since it reads every piece of every stream.
 */

/** Why the model stopped: by itself (or to wait for its calls), at a limit, or because a filter stopped it. */
export type FinishReason = "stop" | "length" | "content_filter";

/** What a server tells of tokens; some of it may be missing. */
export interface ReportedUsage {
  prompt_tokens: number | undefined;
  completion_tokens: number | undefined;
  total_tokens: number | undefined;
}

/** A part of a function call. What is not there is "", or undefined. */
export interface CallPiece {
  index: number | undefined;
  id: string;
  name: string;
  /** JSON text, perhaps not all of it */
  arguments: string;
  /** whether it is a call of its own and all of it, as in an answer that is not streamed */
  isWhole: boolean;
  /** the fields that the API does not know, such as a signature that must come back with the call */
  extras: Record<string, unknown> | undefined;
}

export interface AnswerPiece {
  text: string;
  calls: readonly CallPiece[];
  finishReason: FinishReason | undefined;
  usage: ReportedUsage | undefined;
}

export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const NO_CALLS: readonly CallPiece[] = [];
const NOTHING: AnswerPiece = { text: "", calls: NO_CALLS, finishReason: undefined, usage: undefined };

/** Reads the chunks of one answer, one after the other. */
export class PieceReader {
  /** how the server says what it says: a whole `message` behind its deltas only repeats them */
  #form: "delta" | "message" | undefined;
  #isFinished = false;

  /** Whether the model has said anything. */
  get hasSpoken(): boolean {
    return this.#form !== undefined;
  }

  /** Whether the server has told why the model stopped. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Throws an Error where the server says that the model has failed. */
  read(chunk: Fields): AnswerPiece {
    const choice = firstChoice(chunk.choices);
    const usage =
      usageOf(chunk.usage) ??
      usageOf(choice?.usage) ??
      (isFields(chunk.x_groq) ? usageOf(chunk.x_groq.usage) : undefined);
    if (choice === undefined) return usage === undefined ? NOTHING : { ...NOTHING, usage };
    const { text, calls } = this.#said(choice);
    const finishReason = finishReasonOf(choice.finish_reason);
    if (finishReason !== undefined) this.#isFinished = true;
    return { text, calls, finishReason, usage };
  }

  #said({ delta, message }: Fields): Said {
    if (isFields(delta)) {
      const said = saidIn(delta, false);
      if (said !== SILENCE) {
        this.#form ??= "delta";
        return said;
      }
    }
    if (this.#form === "delta" || !isFields(message)) return SILENCE;
    const said = saidIn(message, true);
    if (said !== SILENCE) this.#form = "message";
    return said;
  }
}

/** Other choices than the first are answers of their own, which were not asked for. */
function firstChoice(choices: unknown): Fields | undefined {
  if (!Array.isArray(choices)) return undefined;
  for (const choice of choices) {
    if (isFields(choice) && (choice.index === 0 || (numberOf(choice.index) ?? 0) === 0)) return choice;
  }
  return undefined;
}

interface Said {
  text: string;
  calls: readonly CallPiece[];
}
const SILENCE: Said = { text: "", calls: NO_CALLS };

function saidIn(said: Fields, isWhole: boolean): Said {
  const text = textOf(said.content) || textOf(said.refusal);
  const calls = said.tool_calls ? callsOf(said.tool_calls, isWhole) : NO_CALLS;
  // What calls were named before there were several of them.
  const single =
    calls.length === 0 && isFields(said.function_call) ? callPiece(said.function_call, isWhole) : undefined;
  if (single !== undefined) return { text, calls: [single] };
  return text === "" && calls.length === 0 ? SILENCE : { text, calls };
}

/** A text, a number in its place, or a list of parts; parts that hold no text, such as thoughts, are left out. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (typeof content === "number") return String(content);
  if (Array.isArray(content)) return content.map(textOf).join("");
  if (!isFields(content)) return "";
  const { type, text, refusal } = content;
  if (type === "refusal") return textOf(refusal);
  if (type !== undefined && type !== "text" && type !== "output_text") return "";
  return isFields(text) ? textOf(text.value) : textOf(text);
}

function callsOf(pieces: unknown, isWhole: boolean): readonly CallPiece[] {
  const list: unknown[] = Array.isArray(pieces) ? pieces : [pieces];
  return list
    .map((piece) => (isFields(piece) ? callPiece(piece, isWhole) : undefined))
    .filter((piece) => piece !== undefined);
}

/** Undefined if it says nothing at all. */
function callPiece(piece: Fields, isWhole: boolean): CallPiece | undefined {
  const called = isFields(piece.function) ? piece.function : piece;
  const id = wordOf(piece.id);
  const name = wordOf(called.name);
  const text = argumentsOf(called.arguments);
  const extras = extrasOf(piece, called);
  if (id === "" && name === "" && text === "" && extras === undefined) return undefined;
  return { index: numberOf(piece.index), id, name, arguments: text, isWhole, extras };
}

/** An id or a name; a blank one is none. */
function wordOf(value: unknown): string {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text.trim() !== "" ? text : "";
}

function argumentsOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

const KNOWN = new Set(["index", "id", "type", "function", "name", "arguments"]);

/** What is kept of the fields that a server adds to its calls, for all calls of a step. Bytes of JSON. */
export const MAX_EXTRAS_BYTES = 64_000;
const DEEPEST_EXTRAS = 20;

/** Those of the function itself stand in `function`, as they came. What is too large or too deep is left out. */
function extrasOf(piece: Fields, called: Fields): Fields | undefined {
  const ofCall = unknownFields(piece);
  const ofFunction = called === piece ? undefined : unknownFields(called);
  const extras = ofFunction === undefined ? ofCall : { ...ofCall, function: ofFunction };
  if (extras === undefined || !isWithin(extras, DEEPEST_EXTRAS)) return undefined;
  return JSON.stringify(extras).length <= MAX_EXTRAS_BYTES ? extras : undefined;
}

const isWithin = (value: unknown, depth: number): boolean =>
  typeof value !== "object" ||
  value === null ||
  (depth > 0 && Object.values(value).every((each) => isWithin(each, depth - 1)));

function unknownFields(fields: Fields): Fields | undefined {
  let found: [string, unknown][] | undefined;
  for (const name in fields) {
    const value = fields[name];
    if (KNOWN.has(name) || value === null || value === undefined) continue;
    found ??= [];
    found.push([name, value]);
  }
  return found === undefined ? undefined : Object.fromEntries(found);
}

/** A whole number, also one that came as a text. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) ? number : undefined;
}

const AT_A_LIMIT = new Set(["length", "max_tokens", "max_output_tokens", "model_length"]);
const FILTERED = new Set(["content_filter", "content_filtered", "safety", "prohibited_content"]);
const NO_REASON = new Set(["", "null", "none"]);

/** What a server calls the end of an answer by itself differs: every word that means nothing else here means that. */
function finishReasonOf(value: unknown): FinishReason | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value !== "string") return undefined;
  const reason = value.trim().toLowerCase();
  if (NO_REASON.has(reason)) return undefined;
  if (AT_A_LIMIT.has(reason)) return "length";
  if (FILTERED.has(reason)) return "content_filter";
  if (reason === "error") throw new Error("the model's server ended the answer with an error");
  return "stop";
}

/** Undefined if nothing in it is a count. */
function usageOf(value: unknown): ReportedUsage | undefined {
  if (!isFields(value)) return undefined;
  const usage = {
    prompt_tokens: countOf(value.prompt_tokens),
    completion_tokens: countOf(value.completion_tokens),
    total_tokens: countOf(value.total_tokens),
  };
  const isEmpty = Object.values(usage).every((count) => count === undefined);
  return isEmpty ? undefined : usage;
}

/** The largest count that is believed: what is larger is an error of the server's, and would end a run's budgets. */
const MOST_TOKENS = 1_000_000_000;

function countOf(value: unknown): number | undefined {
  const count = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof count === "number" && count >= 0 && count <= MOST_TOKENS ? Math.round(count) : undefined;
}
