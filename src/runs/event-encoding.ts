/**
 * How a run's events are stored: small, and each text once. An object's event holds what changed since its last event
 * in the chunk; of a run not what it never changes; a row of text pieces is one text with the lengths of its pieces;
 * and what is large is not copied: a message's text is what its deltas told, and an ended step is the step's own
 * document. Decoding the chunks of a log in order gives back exactly the events.
 */
import type { Run } from "../resources/run.ts";
import { apiObject, type RunDoc, type StepDoc } from "../store/documents.ts";
import { type RunEvent, textDelta } from "./events.ts";

interface ObjectEntry {
  event: string;
  id: string;
  /** the changed fields */
  set: Record<string, unknown>;
  /** which fields went away */
  gone?: string[];
  /** the message's text is this many characters of what its deltas told */
  told?: number;
  /** the calls of `required_action` are those that the deltas of a step told last */
  calls?: true;
}
interface StepEntry {
  event: string;
  /** the event's data is this step's document */
  step: string;
}
interface TextEntry {
  text: string;
  id: string;
  lengths: number[];
  opening: boolean;
}
interface ArgumentsEntry {
  args: string;
  id: string;
  index: number;
  lengths: number[];
}
interface PlainEntry {
  event: string;
  data: unknown;
}
type Entry = ObjectEntry | StepEntry | TextEntry | ArgumentsEntry | PlainEntry;

export type Fields = Record<string, unknown>;

/** What is longer than this is referred to instead of copied. Characters of JSON. */
const LARGE = 2_000;

export function encodeEvents(events: RunEvent[]): unknown[] {
  const entries: Entry[] = [];
  const known = new Map<string, Fields>();
  for (const event of events) {
    const piece = textPiece(event) ?? argumentsPiece(event);
    if (piece !== undefined) {
      if (!appended(entries.at(-1), piece)) entries.push(piece);
    } else entries.push(objectEntry(event, known));
  }
  return entries;
}

/** Whether the piece could be added to the last entry. */
function appended(last: Entry | undefined, piece: TextEntry | ArgumentsEntry): boolean {
  if (last === undefined) return false;
  if ("text" in last && "text" in piece && last.id === piece.id && !piece.opening) last.text += piece.text;
  else if ("args" in last && "args" in piece && last.id === piece.id && last.index === piece.index)
    last.args += piece.args;
  else return false;
  last.lengths.push(...piece.lengths);
  return true;
}

function objectEntry({ event, data }: RunEvent, known: Map<string, Fields>): Entry {
  if (!isObject(data) || typeof data.id !== "string" || event.endsWith(".delta")) return { event, data };
  const { id } = data;
  const before = known.get(id) ?? {};
  known.set(id, data);
  if (data.object === "thread.run.step" && data.status !== "in_progress" && isLarge(data)) return { event, step: id };
  const fixed = data.object === "thread.run" ? FIXED : NOTHING;
  const changed = Object.entries(data).filter(([name, value]) => !fixed.has(name) && !same(before[name], value));
  const gone = Object.keys(before).filter((name) => !(name in data));
  const entry: ObjectEntry = { event, id, set: Object.fromEntries(changed), ...(gone.length === 0 ? {} : { gone }) };
  if (isLarge(entry.set.content)) return withoutText(entry);
  if (isLarge(entry.set.required_action))
    return { ...entry, set: { ...entry.set, required_action: null }, calls: true };
  return entry;
}

const isLarge = (value: unknown) => value !== undefined && JSON.stringify(value).length > LARGE;

/** A message that is one text refers to what has been told of it; whatever else there is stands in its content. */
function withoutText(entry: ObjectEntry): ObjectEntry {
  const content = entry.set.content;
  const [part, ...others] = Array.isArray(content) ? content : [];
  if (part?.type !== "text" || others.length > 0) return entry;
  const { value, ...rest } = part.text;
  const text = { value: "", ...rest };
  return { ...entry, set: { ...entry.set, content: [{ ...part, text }] }, told: value.length };
}

/** What a run has from its creation on: it stands in the run's document and need not stand in its events. */
export const FIXED: ReadonlySet<string> = new Set<keyof Run>([
  "assistant_id",
  "thread_id",
  "model",
  "instructions",
  "tools",
  "tool_resources",
  "temperature",
  "top_p",
  "reasoning_effort",
  "max_completion_tokens",
  "max_prompt_tokens",
  "truncation_strategy",
  "response_format",
  "tool_choice",
  "parallel_tool_calls",
]);
const NOTHING: ReadonlySet<string> = new Set();

interface TextDelta {
  id: string;
  delta: { content: { index: number; text?: { value: string; annotations?: unknown[] } }[] };
}

const textIn = ({ delta }: TextDelta) => delta.content.map(({ text }) => text?.value ?? "").join("");

/** A delta that is nothing but text at index 0, as almost all are. */
export function textPiece({ event, data }: RunEvent): TextEntry | undefined {
  if (event !== "thread.message.delta") return undefined;
  const { id, delta } = data as TextDelta;
  const [part, ...others] = delta.content;
  if (part?.text === undefined || part.index !== 0 || others.length > 0) return undefined;
  const { value, annotations, ...rest } = part.text;
  if ((annotations !== undefined && annotations.length > 0) || Object.keys(rest).length > 0) return undefined;
  return { text: value, id, lengths: [value.length], opening: annotations !== undefined };
}

interface CallPiece {
  index: number;
  id?: string;
  /** absent in the calls of hosted tools */
  function?: { name?: string; arguments: string };
}
interface CallDelta {
  id: string;
  delta: { step_details: { tool_calls: CallPiece[] } };
}

/** A delta that only goes on with the arguments of one call. */
function argumentsPiece({ event, data }: RunEvent): ArgumentsEntry | undefined {
  if (event !== "thread.run.step.delta") return undefined;
  const { id, delta } = data as CallDelta;
  const [call, ...others] = delta.step_details.tool_calls;
  if (call?.function === undefined || call.id !== undefined || others.length > 0) return undefined;
  const { arguments: args } = call.function;
  return { args, id, index: call.index, lengths: [args.length] };
}

export const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;

export const same = (a: unknown, b: unknown) =>
  a === b || (isObject(a) && isObject(b) && JSON.stringify(a) === JSON.stringify(b));

/** The steps whose documents are needed to decode these entries. */
export const stepsOf = (entries: unknown[]): string[] =>
  (entries as Entry[]).flatMap((entry) => ("step" in entry ? [entry.step] : []));

/** Decodes the chunks of one log, which must be given to it in order. */
export class EventDecoder {
  /** text by message, calls of the step that was told of last: undefined where that is not known */
  readonly #texts = new Map<string, string>();
  #calls: CallPiece[] | undefined = [];
  #hasGap = false;

  /** Chunks are missing before the next one. An event that refers to what they told is left out from now on. */
  skip(): void {
    this.#texts.clear();
    this.#calls = undefined;
    this.#hasGap = true;
  }

  /**
   * The events of a chunk; undefined stands for one that this build does not know, or cannot tell. `run` is the one
   * that the events are of, in any version; `steps` are the documents that `stepsOf` asks for.
   */
  decode(entries: unknown[], run: RunDoc, steps: (StepDoc | undefined)[]): (RunEvent | undefined)[] {
    const known = new Map<string, Fields>();
    const events: (RunEvent | undefined)[] = [];
    for (const entry of entries as Entry[]) {
      for (const event of this.#eventsOf(entry, run, steps, known)) {
        if (event !== undefined) this.#listen(event);
        events.push(event);
      }
    }
    return events;
  }

  #eventsOf(
    entry: Entry,
    run: RunDoc,
    steps: (StepDoc | undefined)[],
    known: Map<string, Fields>,
  ): Iterable<RunEvent | undefined> {
    if ("text" in entry) return textDeltas(entry);
    if ("args" in entry) return argumentsDeltas(entry);
    if ("step" in entry) {
      const step = steps.find((each) => each?.id === entry.step);
      return [step === undefined ? undefined : { event: entry.event, data: apiObject(step) }];
    }
    if ("set" in entry) {
      const stored = { ...known.get(entry.id), ...entry.set };
      const data = this.#filled(entry, stored);
      for (const name of entry.gone ?? []) delete (data ?? stored)[name];
      known.set(entry.id, data ?? stored);
      if (data === undefined) return [undefined];
      return [{ event: entry.event, data: data.object === "thread.run" ? withFixed(data, run) : data }];
    }
    return ["data" in entry ? entry : undefined];
  }

  /** Puts back what an entry only refers to; undefined if that was in a chunk that is missing. */
  #filled({ id, told, calls }: ObjectEntry, data: Fields): Fields | undefined {
    if (told !== undefined && Array.isArray(data.content)) {
      const [part] = data.content;
      const value = this.#textOf(id)?.slice(0, told);
      return value === undefined ? undefined : { ...data, content: [{ ...part, text: { ...part.text, value } }] };
    }
    if (calls === undefined) return data;
    const toolCalls = this.#calls?.flatMap(({ id, function: called }) => {
      if (called === undefined) return [];
      const { name, arguments: args } = called;
      return [{ id, type: "function", function: { name, arguments: args } }];
    });
    return (
      toolCalls && {
        ...data,
        required_action: { type: "submit_tool_outputs", submit_tool_outputs: { tool_calls: toolCalls } },
      }
    );
  }

  /** What has been told of a message's text. After a gap that is only known of messages that began after it. */
  #textOf(id: string): string | undefined {
    return this.#texts.get(id) ?? (this.#hasGap ? undefined : "");
  }

  #listen({ event, data }: RunEvent): void {
    const { id } = data as { id: string };
    if (event === "thread.message.created") this.#texts.set(id, "");
    else if (event === "thread.run.step.created") this.#calls = [];
    else if (event === "thread.message.delta") {
      const text = this.#textOf(id);
      if (text !== undefined) this.#texts.set(id, text + textIn(data as TextDelta));
    } else if (event === "thread.run.step.delta") {
      for (const piece of (data as CallDelta).delta.step_details.tool_calls) this.#hearCall(piece);
    }
  }

  #hearCall(piece: CallPiece): void {
    if (this.#calls === undefined) return;
    const call = this.#calls[piece.index];
    if (call === undefined) this.#calls[piece.index] = structuredClone(piece);
    else if (call.function !== undefined) call.function.arguments += piece.function?.arguments ?? "";
  }
}

/** In the order in which a run shows its fields. */
function withFixed(data: Fields, run: RunDoc): Fields {
  const fields = Object.entries(apiObject(run)).map(([name, value]) => [name, FIXED.has(name) ? value : data[name]]);
  return Object.fromEntries(fields);
}

function* textDeltas({ id, text, lengths, opening }: TextEntry): Generator<RunEvent> {
  for (const [index, value] of pieces(text, lengths).entries()) {
    yield textDelta({ id }, value, opening && index === 0);
  }
}

function* argumentsDeltas({ id, index, args, lengths }: ArgumentsEntry): Generator<RunEvent> {
  for (const value of pieces(args, lengths)) {
    const calls = [{ index, type: "function", function: { arguments: value } }];
    const delta = { step_details: { type: "tool_calls", tool_calls: calls } };
    yield { event: "thread.run.step.delta", data: { id, object: "thread.run.step.delta", delta } };
  }
}

/** A text in pieces of these lengths. */
export function pieces(text: string, lengths: number[]): string[] {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return text.slice(start - length, start);
  });
}
