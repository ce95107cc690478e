/**
 * A run's event log: what its stream said, kept for a while, so that a broken stream can be resumed and a background run
 * watched. Chunks are written in the batches that also write the objects: log and store cannot differ.
 *
 * Kept small: an object's event holds only what changed since its last one, of a run not what it never changes, and a row
 * of text pieces is one text with the lengths of its pieces. Decoding gives back exactly the events.
 */
import type { Run } from "../resources/run.ts";
import { apiObject, type EventsDoc, type RunDoc } from "../store/documents.ts";
import type { RunEvent } from "./events.ts";

/** Object events by name, the changed fields, and which fields went away. */
type Entry =
  | { event: string; id: string; set: Record<string, unknown>; gone?: string[] }
  | { text: string; id: string; lengths: number[]; opening: boolean }
  | { event: string; data: unknown };

type Fields = Record<string, unknown>;

export function encodeEvents(events: RunEvent[]): unknown[] {
  const entries: Entry[] = [];
  const known = new Map<string, Fields>();
  for (const { event, data } of events) {
    const delta = event === "thread.message.delta" ? plainText(data) : undefined;
    if (delta !== undefined) {
      const last = entries.at(-1);
      if (last !== undefined && "text" in last && last.id === delta.id && !delta.opening) {
        last.text += delta.value;
        last.lengths.push(delta.value.length);
      } else {
        entries.push({ text: delta.value, id: delta.id, lengths: [delta.value.length], opening: delta.opening });
      }
    } else if (isObject(data) && typeof data.id === "string" && !event.endsWith(".delta")) {
      entries.push(changes(event, data.id, known.get(data.id) ?? {}, data));
      known.set(data.id, data);
    } else entries.push({ event, data });
  }
  return entries;
}

/** `run` is the one that the events are of, in any version. */
export function decodeEvents(chunk: unknown[], run: RunDoc): RunEvent[] {
  const events: RunEvent[] = [];
  const known = new Map<string, Fields>();
  for (const entry of chunk as Entry[]) {
    if ("text" in entry) events.push(...pieces(entry));
    else if ("set" in entry) {
      const data = { ...known.get(entry.id), ...entry.set };
      for (const name of entry.gone ?? []) delete data[name];
      known.set(entry.id, data);
      events.push({ event: entry.event, data: data.object === "thread.run" ? withSnapshot(data, run) : data });
    } else events.push(entry);
  }
  return events;
}

function changes(event: string, id: string, before: Fields, now: Fields): Entry {
  const fixed = now.object === "thread.run" ? SNAPSHOT : NOTHING;
  const changed = Object.entries(now).filter(([name, value]) => !fixed.has(name) && !same(before[name], value));
  const gone = Object.keys(before).filter((name) => !(name in now));
  return { event, id, set: Object.fromEntries(changed), ...(gone.length === 0 ? {} : { gone }) };
}

/** What a run has from its creation on: it stands in the run's document and need not stand in its events. */
const SNAPSHOT: ReadonlySet<string> = new Set<keyof Run>([
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

/** In the order in which a run shows its fields. */
function withSnapshot(data: Fields, run: RunDoc): Fields {
  const fields = Object.entries(apiObject(run)).map(([name, value]) => [name, SNAPSHOT.has(name) ? value : data[name]]);
  return Object.fromEntries(fields);
}

function* pieces({ id, text, lengths, opening }: Extract<Entry, { text: string }>): Generator<RunEvent> {
  let start = 0;
  for (const [index, length] of lengths.entries()) {
    const value = text.slice(start, start + length);
    start += length;
    const first = opening && index === 0;
    yield messageDelta(id, { index: 0, type: "text", text: first ? { value, annotations: [] } : { value } });
  }
}

function messageDelta(id: string, part: Fields): RunEvent {
  return { event: "thread.message.delta", data: { id, object: "thread.message.delta", delta: { content: [part] } } };
}

/** A delta that is nothing but text at index 0, as almost all are. */
function plainText(data: unknown): { id: string; value: string; opening: boolean } | undefined {
  const { id, delta } = data as {
    id: string;
    delta: { content: { index: number; text?: { value: string; annotations?: unknown[] } }[] };
  };
  const [part, ...others] = delta.content;
  if (part?.text === undefined || part.index !== 0 || others.length > 0) return undefined;
  const { value, annotations, ...rest } = part.text;
  if ((annotations !== undefined && annotations.length > 0) || Object.keys(rest).length > 0) return undefined;
  return { id, value, opening: annotations !== undefined };
}

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;

const same = (a: unknown, b: unknown) =>
  a === b || (isObject(a) && isObject(b) && JSON.stringify(a) === JSON.stringify(b));

export const chunkId = (runId: string, number: number) => `${runId}:events:${number}`;

/**
 * The chunk that adds these events to the log, and the run that counts them. `ttl` in seconds; 0 keeps no log. Chunks
 * stand alone: each can be decoded without the ones before.
 */
export function logged(run: RunDoc, events: RunEvent[], ttl: number): { run: RunDoc; chunks: EventsDoc[] } {
  const { log } = run.internal;
  if (events.length === 0 || ttl === 0) return { run, chunks: [] };
  const chunk: EventsDoc = {
    id: chunkId(run.id, log.chunks),
    pk: run.pk,
    kind: "events",
    ttl,
    internal: { run: run.id, first: log.events, entries: encodeEvents(events) },
  };
  const counted = { chunks: log.chunks + 1, events: log.events + events.length };
  return { run: { ...run, internal: { ...run.internal, log: counted } }, chunks: [chunk] };
}
