/**
 * How a run's events are stored: small, and each text once. An object's event holds what changed since its last event
 * in the chunk; of a run not what it never changes; a row of text pieces is one text with the lengths of its pieces;
 * and what is large is not copied: a message's text is what its deltas told, and an ended step is the step's own
 * document. Decoding the chunks of a log in order gives back exactly the events.
 */
import type { Run } from "../resources/run.ts";
import { CODE_TOOL_VERSION } from "../resources/schema-version.ts";
import type { RunEvent } from "./events.ts";

export interface ObjectEntry {
  event: string;
  id: string;
  /** the changed fields */
  set: Record<string, unknown>;
  /** which fields went away */
  gone?: string[];
  /** the text of the message's part of this kind is this many characters of what its deltas told */
  told?: number;
  /** the calls of `required_action` are those that the deltas of a step told last */
  calls?: true;
}
interface StepEntry {
  event: string;
  /** the event's data is this step's document */
  step: string;
}
export interface TextEntry {
  text: string;
  id: string;
  lengths: number[];
  opening: boolean;
  /** the place of the text in its message, if images come before it */
  part?: number;
}
export interface ArgumentsEntry {
  args: string;
  id: string;
  index: number;
  lengths: number[];
}
/** A row of pieces of code. */
export interface InputEntry {
  input: string;
  id: string;
  index: number;
  lengths: number[];
}
interface PlainEntry {
  event: string;
  data: unknown;
}
export type Entry = ObjectEntry | StepEntry | TextEntry | ArgumentsEntry | InputEntry | PlainEntry;

export type Fields = Record<string, unknown>;

/** What is longer than this is referred to instead of copied. Characters of JSON. */
const LARGE = 2_000;

export function encodeEvents(events: RunEvent[]): unknown[] {
  const entries: Entry[] = [];
  const known = new Map<string, Fields>();
  for (const event of events) {
    const piece = textPiece(event) ?? callPiece(event);
    if (piece !== undefined) {
      if (!appended(entries.at(-1), piece)) entries.push(piece);
    } else entries.push(objectEntry(event, known));
  }
  return entries;
}

/** Whether the piece could be added to the last entry. */
function appended(last: Entry | undefined, piece: TextEntry | ArgumentsEntry | InputEntry): boolean {
  if (last === undefined || !("lengths" in last) || last.id !== piece.id) return false;
  if ("text" in last) {
    if (!("text" in piece) || piece.opening || last.part !== piece.part) return false;
    last.text += piece.text;
  } else if ("text" in piece || last.index !== piece.index) return false;
  else if ("args" in last && "args" in piece) last.args += piece.args;
  else if ("input" in last && "input" in piece) last.input += piece.input;
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

/** A message with one text refers to what has been told of it; whatever else there is stands in its content. */
function withoutText(entry: ObjectEntry): ObjectEntry {
  const content: unknown[] = Array.isArray(entry.set.content) ? entry.set.content : [];
  const texts = content.filter(isText);
  const [part] = texts;
  if (part === undefined || texts.length > 1) return entry;
  const { value, ...rest } = part.text;
  const rests = content.map((each) => (each === part ? { ...part, text: { value: "", ...rest } } : each));
  return { ...entry, set: { ...entry.set, content: rests }, told: value.length };
}

export const isText = (part: unknown): part is { type: "text"; text: { value: string } } =>
  isObject(part) && part.type === "text" && isObject(part.text) && typeof part.text.value === "string";

/** The lowest version that reads these entries; undefined for the first. Older builds read no code and no images. */
export const versionOf = (entries: unknown[]): number | undefined =>
  (entries as Entry[]).some(isOfCode) ? CODE_TOOL_VERSION : undefined;

function isOfCode(entry: Entry): boolean {
  if ("input" in entry || ("text" in entry && entry.part !== undefined)) return true;
  return "told" in entry && Array.isArray(entry.set.content) && entry.set.content.length > 1;
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

export interface TextDelta {
  id: string;
  delta: { content: { index: number; text?: { value: string; annotations?: unknown[] } }[] };
}

/** A delta that is nothing but text, as almost all are; at index 0, or behind images. */
export function textPiece({ event, data }: RunEvent): TextEntry | undefined {
  if (event !== "thread.message.delta") return undefined;
  const { id, delta } = data as TextDelta;
  const [part, ...others] = delta.content;
  if (part?.text === undefined || others.length > 0) return undefined;
  const { value, annotations, ...rest } = part.text;
  if ((annotations !== undefined && annotations.length > 0) || Object.keys(rest).length > 0) return undefined;
  const piece = { text: value, id, lengths: [value.length], opening: annotations !== undefined };
  return part.index === 0 ? piece : { ...piece, part: part.index };
}

export interface CallPiece {
  index: number;
  id?: string;
  /** absent in the calls of hosted tools */
  function?: { name?: string; arguments: string };
  code_interpreter?: { input?: string; outputs?: unknown[] };
}
export interface CallDelta {
  id: string;
  delta: { step_details: { tool_calls: CallPiece[] } };
}

/** A delta that only goes on with the arguments, or the code, of one call. */
function callPiece({ event, data }: RunEvent): ArgumentsEntry | InputEntry | undefined {
  if (event !== "thread.run.step.delta") return undefined;
  const { id, delta } = data as CallDelta;
  const [call, ...others] = delta.step_details.tool_calls;
  if (call === undefined || call.id !== undefined || others.length > 0) return undefined;
  const { index, function: called, code_interpreter: { input, outputs } = {} } = call;
  if (called !== undefined) return { args: called.arguments, id, index, lengths: [called.arguments.length] };
  return input === undefined || outputs !== undefined ? undefined : { input, id, index, lengths: [input.length] };
}

export const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;

export const same = (a: unknown, b: unknown) =>
  a === b || (isObject(a) && isObject(b) && JSON.stringify(a) === JSON.stringify(b));

/** The steps whose documents are needed to decode these entries. */
export const stepsOf = (entries: unknown[]): string[] =>
  (entries as Entry[]).flatMap((entry) => ("step" in entry ? [entry.step] : []));

/** A text in pieces of these lengths. */
export function pieces(text: string, lengths: number[]): string[] {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return text.slice(start - length, start);
  });
}
