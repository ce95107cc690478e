/**
 * A run's event log: what its stream said, kept for a while, so that a broken stream can be resumed and a background
 * run watched. Chunks are written in the batches that also write the objects: log and store cannot differ.
 */
import { sizeOf } from "../resources/limits.ts";
import { isTerminal } from "../resources/run.ts";
import type { EventsDoc, MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import { encodeEvents, versionOf } from "./event-encoding.ts";
import type { RunEvent } from "./events.ts";
import { shortLogOf } from "./short-log.ts";

export const chunkId = (runId: string, number: number) => `${runId}:events:${number}`;

/** A batch holds one chunk beside the documents of a model call: together they must fit. Bytes of JSON. */
export const MAX_CHUNK_BYTES = 450_000;

/** Events that are fewer than this, and whose texts are short, need not be measured. */
const FEW = 2_000;

/**
 * The events in groups, in order, each of which fits into one chunk. A single event never is too large: a piece of text
 * is bounded by what a model call may say, and objects refer to what is large.
 */
export function inChunks(events: RunEvent[]): RunEvent[][] {
  if (events.length < 2 || fitsEasily(events)) return [events];
  if (sizeOf(encodeEvents(events)) <= MAX_CHUNK_BYTES) return [events];
  const middle = events.length >> 1;
  return [...inChunks(events.slice(0, middle)), ...inChunks(events.slice(middle))];
}

/** A cheap look: few events, whose deltas are short. */
function fitsEasily(events: RunEvent[]): boolean {
  if (events.length > FEW) return false;
  let length = 0;
  for (const { event, data } of events) if (event.endsWith(".delta")) length += JSON.stringify(data).length;
  return length < MAX_CHUNK_BYTES / 8;
}

/**
 * The chunk that adds these events to the log, and the run that counts them; no chunk if the run has ended and its log
 * is short. `ttl` in seconds; 0 keeps no log. `documents` are those that the same batch writes. The chunks of a log are
 * decoded in order.
 */
export function logged(
  run: RunDoc,
  events: RunEvent[],
  ttl: number,
  documents: (StepDoc | MessageDoc)[] = [],
): { run: RunDoc; chunks: EventsDoc[] } {
  const { log } = run.internal;
  if (events.length === 0 || ttl === 0) return { run, chunks: [] };
  if (log.chunks === 0 && isTerminal(run.status)) {
    const short = shortLogOf(run, documents, events, endOf(run) + ttl * 1000);
    const counted = { chunks: 0, events: events.length };
    if (short !== undefined) {
      return { run: { ...run, internal: { ...run.internal, log: counted, short_log: short } }, chunks: [] };
    }
  }
  const entries = encodeEvents(events);
  const v = versionOf(entries);
  const chunk: EventsDoc = {
    id: chunkId(run.id, log.chunks),
    pk: run.pk,
    kind: "events",
    ttl,
    internal: { run: run.id, first: log.events, entries, ...(v !== undefined && { v }) },
  };
  const counted = { chunks: log.chunks + 1, events: log.events + events.length };
  return { run: { ...run, internal: { ...run.internal, log: counted } }, chunks: [chunk] };
}

/** About when a run ended. Milliseconds since 1970. */
const endOf = (run: RunDoc) =>
  1000 * (run.completed_at ?? run.failed_at ?? run.cancelled_at ?? run.started_at ?? run.created_at);
