/**
 * Reads a run's events as strictly as the strictest client library does (docs/contract.md 4.3): puts deltas together,
 * and throws where one of them would throw or silently get something wrong.
 */
import type { Message } from "../../../src/resources/message.ts";
import { isFunctionCall, type RunStep, type ToolCall } from "../../../src/resources/step.ts";
import type { RunEvent } from "../../../src/runs/events.ts";

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** What has been read of a message or step: its delta parts put together, and whether its last event has come. */
interface Snapshot {
  object: Json;
  over: boolean;
}

export class StreamReader {
  readonly #messages = new Map<string, Snapshot>();
  readonly #steps = new Map<string, Snapshot>();

  read({ event, data }: RunEvent): void {
    if (!isObject(data) || typeof data.id !== "string") throw new Error(`${event} is about nothing`);
    if (event.startsWith("thread.message.")) this.#readMessage(event.slice("thread.message.".length), data, data.id);
    if (event.startsWith("thread.run.step.")) this.#readStep(event.slice("thread.run.step.".length), data, data.id);
  }

  /** The text of a message as a client has put it together. */
  textOf(id: string): string {
    const { content } = snapshotOf(this.#messages, id).object as unknown as Message;
    return content.map((part) => (part.type === "text" ? part.text.value : "")).join("");
  }

  callsOf(id: string): ToolCall[] {
    const { step_details: details } = snapshotOf(this.#steps, id).object as unknown as RunStep;
    if (details.type !== "tool_calls") throw new Error(`step ${id} has no calls`);
    return details.tool_calls.map((call) => {
      // Without the index.
      if (isFunctionCall(call)) return { id: call.id, type: call.type, function: call.function };
      if (call.type === "file_search") return { id: call.id, type: call.type, file_search: call.file_search };
      return { id: call.id, type: call.type, code_interpreter: call.code_interpreter };
    });
  }

  #readMessage(what: string, data: Json, id: string): void {
    if (what === "created") {
      if (Array.isArray(data.content) && data.content.length > 0) throw new Error("a new message has content");
      for (const { over } of this.#messages.values()) if (!over) throw new Error("two messages at a time");
      open(this.#messages, id, data);
    } else if (what === "delta") {
      const snapshot = snapshotOf(this.#messages, id);
      if (snapshot.over) throw new Error(`message ${id} goes on after its end`);
      accumulate(snapshot.object, data.delta as Json);
    } else if (what === "completed" || what === "incomplete") {
      const snapshot = snapshotOf(this.#messages, id);
      const [told, whole] = [this.textOf(id), textOf(data)];
      if (told !== whole)
        throw new Error(`the message is ${JSON.stringify(whole)}, its deltas ${JSON.stringify(told)}`);
      Object.assign(snapshot, { object: data, over: true });
    } else snapshotOf(this.#messages, id);
  }

  #readStep(what: string, data: Json, id: string): void {
    if (what === "created") open(this.#steps, id, data);
    else if (what === "delta") {
      const snapshot = snapshotOf(this.#steps, id);
      if (snapshot.over) throw new Error(`step ${id} goes on after its end`);
      accumulate(snapshot.object, data.delta as Json);
    } else snapshotOf(this.#steps, id).over = what !== "in_progress";
  }
}

function open(snapshots: Map<string, Snapshot>, id: string, data: Json): void {
  if (snapshots.has(id)) throw new Error(`${id} is created twice`);
  snapshots.set(id, { object: structuredClone(data), over: false });
}

function snapshotOf(snapshots: Map<string, Snapshot>, id: string): Snapshot {
  const snapshot = snapshots.get(id);
  if (snapshot === undefined) throw new Error(`${id} was never created`);
  return snapshot;
}

const textOf = (message: Json) =>
  (message as unknown as Message).content.map((part) => (part.type === "text" ? part.text.value : "")).join("");

/** Texts are appended, numbers added, objects merged, arrays merged by each entry's index. */
function accumulate(into: Json, delta: Json): void {
  for (const [key, value] of Object.entries(delta)) {
    const had = into[key];
    if (key === "index" || key === "type" || had === undefined || had === null) into[key] = structuredClone(value);
    else if (value === null || value === undefined) throw new Error(`${key} becomes nothing`);
    else if (typeof had === "string" && typeof value === "string") into[key] = append(key, had, value);
    else if (typeof had === "number" && typeof value === "number") into[key] = had + value;
    else if (Array.isArray(had) && Array.isArray(value)) accumulateEntries(had, value);
    else if (isObject(had) && isObject(value)) accumulate(had, value);
    else throw new Error(`${key} changes its kind`);
  }
}

/** An id or a name that is said twice would be put together to nonsense. */
function append(key: string, had: string, value: string): string {
  if (key === "id" || key === "name" || key === "file_id") throw new Error(`${key} is told twice`);
  return had + value;
}

function accumulateEntries(had: unknown[], entries: unknown[]): void {
  for (const entry of entries) {
    if (!isObject(entry) || !Number.isInteger(entry.index)) throw new Error("an entry has no index");
    const index = Number(entry.index);
    const known = had[index];
    if (isObject(known)) accumulate(known, entry);
    else if (index === had.length) had.push(structuredClone(entry));
    else throw new Error(`entry ${index} comes before entry ${had.length}`);
  }
}
