/**
 * Which optional parameters an endpoint takes. Not every server and model takes all of OpenAI's, and the refusals name
 * what was too much: that is left out from then on, for this model, as long as the process lives. What decides what a
 * run means (its messages, tools, tool choice, format) is never left out.
 */
import type { ChatCompletionMessageToolCall } from "openai/resources/chat/completions";
import type { OptionalParameter } from "../config.ts";
import type { ModelRequest } from "./types.ts";

/** What is sent: a request and what makes it a stream. */
export type SentRequest = ModelRequest & { stream: true; stream_options?: { include_usage: true } };

/** Parameters that a call may be made without. */
const TOP_LEVEL = [
  "stream_options",
  "parallel_tool_calls",
  "temperature",
  "top_p",
  "reasoning_effort",
  "max_completion_tokens",
] as const satisfies OptionalParameter[];

/** What a refusal of a known request says. */
export interface Refusal {
  status: number | undefined;
  code: string;
  message: string;
  /** the parts of the request that it names */
  places: string[];
}

/** Models that are remembered: their names come from clients. The oldest is forgotten first. */
const MOST_MODELS = 1_000;
/** For each of them: values of parameters count as well. */
const MOST_ENTRIES = 50;

export class Parameters {
  readonly #withoutAlways: ReadonlySet<string>;
  readonly #refusedBy = new Map<string, Set<string>>();

  constructor(without: readonly OptionalParameter[]) {
    this.#withoutAlways = new Set(without);
  }

  /** The request without what its model is known to refuse. */
  fitting(request: SentRequest): SentRequest {
    const refused = this.#refusedBy.get(request.model);
    if (refused === undefined && this.#withoutAlways.size === 0) return request;
    const isRefused = (entry: string) => this.#withoutAlways.has(entry) || refused?.has(entry) === true;
    const fitting = { ...request };
    for (const name of TOP_LEVEL) {
      if (fitting[name] === undefined || !(isRefused(name) || isRefused(valueEntry(name, fitting[name])))) continue;
      // A bound is never lost: this is its name in servers that are older than reasoning models.
      if (name === "max_completion_tokens") fitting.max_tokens = fitting[name] ?? null;
      delete fitting[name];
    }
    return isRefused("call_extras") ? { ...fitting, messages: withoutExtras(fitting.messages) } : fitting;
  }

  /** Remembers what a refusal names, if a call can be made without it: answers with that, or with an empty list. */
  learn(refusal: Refusal, sent: SentRequest): string[] {
    const entries = refusedEntries(refusal, sent);
    if (entries.length === 0) return [];
    const known = this.#refusedBy.get(sent.model) ?? new Set<string>();
    for (const entry of entries) if (known.size < MOST_ENTRIES) known.add(entry);
    this.#refusedBy.set(sent.model, known);
    const [oldest] = this.#refusedBy.keys();
    if (this.#refusedBy.size > MOST_MODELS && oldest !== undefined) this.#refusedBy.delete(oldest);
    // A parameter that could not be remembered would be refused again and again.
    return entries.filter((entry) => known.has(entry));
  }
}

const valueEntry = (name: string, value: unknown) => `${name}=${JSON.stringify(value)}`;

/** What a server writes that does not take a parameter; not what it writes about a value out of its range. */
const NOT_TAKEN = new RegExp(
  [
    "unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|forbidden",
    "extra[ _-]?(input|field|param|forbidden|argument)",
    "invalid (parameter|argument|field|key|property)|additional propert",
  ].join("|"),
  "i",
);

/** A model that takes the parameter, but not this value; unless it takes no other than the default. */
const VALUE_NOT_TAKEN = /unsupported[ _]value/i;
const ONLY_DEFAULT = /only the default/i;

/** Of an error's words, what is looked at: behind that, some servers quote the prompt. Characters. */
const LOOKED_AT = 500;

function refusedEntries({ status, code, message, places }: Refusal, sent: SentRequest): string[] {
  if (status !== 400 && status !== 422) return [];
  const words = message.slice(0, LOOKED_AT);
  if (!NOT_TAKEN.test(`${code} ${words}`)) return [];
  const named = namedParts(places, words, sent);
  const isValue = VALUE_NOT_TAKEN.test(`${code} ${words}`) && !ONLY_DEFAULT.test(words);
  const names = TOP_LEVEL.filter((name) => sent[name] !== undefined && named.some((path) => path[0] === name));
  const entries = names.map((name) => (isValue ? valueEntry(name, sent[name]) : name));
  const extras = extraNames(sent);
  const isExtra = named.some((path) => path[0] === "messages" && extras.has(path.at(-1) ?? ""));
  return isExtra ? [...entries, "call_extras"] : entries;
}

/**
 * Paths into the request: where the server has named some they count, else the words in its message that may be some.
 */
function namedParts(places: string[], words: string, sent: SentRequest): string[][] {
  const paths = places.map(partsOf).filter(([first]) => first !== undefined && first in sent);
  return paths.length > 0 ? paths : (words.match(/[A-Za-z_][\w.[\]]*/g) ?? []).map(partsOf);
}

const partsOf = (place: string) =>
  place
    .replace(/^body\./, "")
    .split(/[.[\]]+/)
    .filter((part) => part !== "");

type ChatMessage = ModelRequest["messages"][number];

/** What the function calls in the messages hold beside the API's own fields (src/runs/context.ts puts it there). */
function extraNames({ messages }: ModelRequest): Set<string> {
  const names = new Set<string>();
  for (const message of messages) {
    for (const call of message.role === "assistant" ? (message.tool_calls ?? []) : []) {
      if (call.type !== "function") continue;
      for (const name in call) if (!CALL_FIELDS.has(name)) names.add(name);
      for (const name in call.function) if (!FUNCTION_FIELDS.has(name)) names.add(name);
    }
  }
  return names;
}

const CALL_FIELDS = new Set(["id", "type", "function"]);
const FUNCTION_FIELDS = new Set(["name", "arguments"]);

function withoutExtras(messages: ChatMessage[]): ChatMessage[] {
  return messages.map((message) =>
    message.role === "assistant" && message.tool_calls !== undefined
      ? { ...message, tool_calls: message.tool_calls.map(bare) }
      : message,
  );
}

function bare(call: ChatCompletionMessageToolCall): ChatCompletionMessageToolCall {
  if (call.type !== "function") return call;
  const { name, arguments: text } = call.function;
  return { id: call.id, type: "function", function: { name, arguments: text } };
}
