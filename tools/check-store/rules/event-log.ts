/** The event log of a run tells without a gap what became of its objects. */
import { isTerminal } from "../../../src/resources/run.ts";
import { EventDecoder } from "../../../src/runs/event-decoding.ts";
import { chunkId } from "../../../src/runs/event-log.ts";
import { type RunEvent, textOf } from "../../../src/runs/events.ts";
import { readShortLog } from "../../../src/runs/short-log.ts";
import { apiObject, type EventsDoc, type MessageDoc, type RunDoc, type StepDoc } from "../../../src/store/documents.ts";
import type { CheckOptions, Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* logsTellTheTruth(thread: ThreadSnapshot, options: CheckOptions): Iterable<Finding> {
  for (const run of thread.runs) {
    try {
      yield* logOf(thread, run, options);
    } catch (error) {
      yield { id: run.id, detail: `its event log cannot be read: ${error}` };
    }
  }
}

function* logOf(thread: ThreadSnapshot, run: RunDoc, options: CheckOptions): Iterable<Finding> {
  const events = yield* eventsOf(thread, run, options);
  // What a driver has under way is told before it is written, and logged after.
  const settled = isTerminal(run.status) || run.status === "requires_action";
  if (events === undefined || events.length === 0 || !settled) return;
  yield* endsOf(thread, run, new Told(events), options);
}

function* eventsOf(
  thread: ThreadSnapshot,
  run: RunDoc,
  options: CheckOptions,
): Generator<Finding, RunEvent[] | undefined> {
  const { short_log: short, log } = run.internal;
  const steps = thread.stepsOf(run);
  if (short === undefined) return yield* contiguous(run, thread.chunksOf(run), steps, options);
  const known = [...steps, ...thread.messages];
  const documents = short.objects.map((id) => known.find((doc) => doc.id === id));
  const events = readShortLog(run, short, documents);
  if (events.length !== log.events)
    yield { id: run.id, detail: `counts ${log.events} events, and has ${events.length}` };
  return events.filter((event) => event !== undefined);
}

/** All events, if all of them are still there. */
function* contiguous(
  run: RunDoc,
  chunks: EventsDoc[],
  steps: StepDoc[],
  { now, eventsTtl }: CheckOptions,
): Generator<Finding, RunEvent[] | undefined> {
  const { log } = run.internal;
  const ttl = chunks[0]?.ttl ?? eventsTtl;
  // No log is kept, or the first chunks may have been deleted by their time to live.
  const mayBeGone = ttl === 0 || (run.created_at + ttl) * 1000 < now;
  const events: RunEvent[] = [];
  let first: number | undefined = 0;
  let isWhole = true;
  const decoder = new EventDecoder();
  for (let number = 0; number < log.chunks; number++) {
    const chunk = chunks.find(({ id }) => id === chunkId(run.id, number));
    if (chunk === undefined) {
      isWhole = false;
      if (!mayBeGone || events.length > 0) yield { id: run.id, detail: `chunk ${number} of its event log is missing` };
      first = undefined;
      continue;
    }
    if (first !== undefined && chunk.internal.first !== first) {
      yield { id: chunk.id, detail: `begins with event ${chunk.internal.first} instead of ${first}` };
    }
    const decoded = decoder.decode(chunk.internal.entries, run, steps);
    events.push(...decoded.filter((event) => event !== undefined));
    first = chunk.internal.first + decoded.length;
  }
  if (first !== undefined && first !== log.events) {
    yield { id: run.id, detail: `counts ${log.events} events, and its log has ${first}` };
  }
  const numbers = new Set(Array.from({ length: log.chunks }, (_, number) => chunkId(run.id, number)));
  for (const { id } of chunks) if (!numbers.has(id)) yield { id, detail: `is a chunk that ${run.id} does not count` };
  if (log.chunks === 0 && isTerminal(run.status) && !mayBeGone) yield { id: run.id, detail: "ended without a log" };
  return isWhole ? events : undefined;
}

interface LastEvent {
  event: string;
  data: Record<string, unknown>;
}

/** What a client that has read the whole log knows. */
class Told {
  readonly objects = new Map<string, LastEvent>();
  /** the text of each message, from the last time that it was created */
  readonly texts = new Map<string, string>();
  /** ids of objects that an abandoned attempt told of, and no later attempt told of again */
  readonly givenUp = new Set<string>();
  #underWay = new Set<string>();

  constructor(events: RunEvent[]) {
    for (const { event, data } of events) {
      if (typeof data !== "object" || data === null) continue;
      const fields = data as Record<string, unknown>;
      const id = String(fields.id);
      if (event === "thread.message.delta") {
        this.texts.set(id, (this.texts.get(id) ?? "") + textOfDelta(fields));
      } else if (!event.endsWith(".delta")) {
        this.objects.set(id, { event, data: fields });
        this.#follow(id, fields);
      }
      // A repeated attempt begins its message anew.
      if (event === "thread.message.created") this.texts.set(id, "");
    }
  }

  /**
   * Keeps a model call's objects if the run pauses or ends with them. If it is claimed again, the attempt was
   * abandoned.
   */
  #follow(id: string, { object, status }: Record<string, unknown>): void {
    if (object !== "thread.run") {
      this.#underWay.add(id);
      this.givenUp.delete(id);
    } else if (status !== "cancelling") {
      if (status === "in_progress") for (const begun of this.#underWay) this.givenUp.add(begun);
      this.#underWay = new Set();
    }
  }
}

function textOfDelta({ delta }: Record<string, unknown>): string {
  const { content } = delta as { content: { text?: { value?: string } }[] };
  return content.map((part) => part.text?.value ?? "").join("");
}

function* endsOf(
  thread: ThreadSnapshot,
  run: RunDoc,
  told: Told,
  { messagesAreDeleted }: CheckOptions,
): Iterable<Finding> {
  const messages = thread.messagesOf(run);
  const stored = new Map([run, ...thread.stepsOf(run), ...messages].map((doc) => [doc.id, doc]));
  for (const doc of stored.values()) yield* lastEvent(doc, told.objects.get(doc.id));
  for (const message of messages) yield* text(message, told.texts.get(message.id) ?? "");
  // The log of a streamed run that was created together with its thread begins with that.
  const there = new Set([...stored.keys(), ...thread.threads.map(({ id }) => id)]);
  for (const [id, { event, data }] of told.objects) {
    if (there.has(id) || data.status === "in_progress" || told.givenUp.has(id)) continue;
    if (data.object === "thread.message" && messagesAreDeleted) continue;
    yield { id, detail: `is gone, though the log of ${run.id} ended it with ${event}` };
  }
  const begun = [...told.objects.values()].filter(({ data }) => data.object === "thread.message").length;
  if (run.status === "completed" && begun > run.internal.turns) {
    yield { id: run.id, detail: `told of ${begun} messages in ${run.internal.turns} model calls` };
  }
}

function* lastEvent(doc: RunDoc | StepDoc | MessageDoc, last: LastEvent | undefined): Iterable<Finding> {
  if (last === undefined) {
    yield { id: doc.id, detail: "its run's event log does not know it" };
    return;
  }
  // For example a step that waits for outputs: its last event shows how it began, not what it holds now.
  if (doc.status === "in_progress") return;
  if (last.event !== `${doc.object}.${doc.status}`) {
    yield { id: doc.id, detail: `is ${doc.status}, and its last event was ${last.event}` };
    return;
  }
  for (const [name, value] of Object.entries(apiObject(doc))) {
    // Clients may set metadata at any time.
    if (name === "metadata" || (doc.kind === "step" && name === "expires_at")) continue;
    if (canonical(value) !== canonical(last.data[name])) {
      yield { id: doc.id, detail: `${name} is not as its last event ${last.event} told` };
    }
  }
}

/**
 * A driver that died may have sent more text than it had saved; a completed message has exactly the text that was sent.
 */
function* text(message: MessageDoc, told: string): Iterable<Finding> {
  const stored = textOf(message.content);
  const fits = message.status === "completed" ? told === stored : told.startsWith(stored);
  if (!fits) yield { id: message.id, detail: `has ${stored.length} characters, and its events told ${told.length}` };
}

/** The same for equal values, whatever the order of their fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
