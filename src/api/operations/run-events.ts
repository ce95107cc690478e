import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { App } from "../../app.ts";
import { isTerminal } from "../../resources/run.ts";
import { changedRun, currentRun, type RunRef } from "../../runs/commands.ts";
import { chunkId, decodeEvents } from "../../runs/event-log.ts";
import { beginningOf, type RunEvent, runEvent } from "../../runs/events.ts";
import type { EventsDoc, RunDoc } from "../../store/documents.ts";
import type { Versioned } from "../../store/partition.ts";
import { operation } from "../operation.ts";
import { EventStream, errorEvent } from "../sse.ts";
import { validated } from "../validation.ts";

/**
 * How often a run is looked at while it goes on: soon after something new, then less and less. A pause is always about a
 * fifth of the time that nothing has changed: what is driven, and saved once a second, is seen within a fraction of a
 * second, and a run that waits for its worker for minutes costs a look every few seconds. Milliseconds.
 */
const SHORTEST_PAUSE = 10;
const LONGEST_PAUSE = 4_000;
const SLOWER = 1.25;

const position = z.object({
  after: z
    .preprocess(
      (value) => (typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value),
      z.int().min(-1),
    )
    .optional()
    .describe("Number of the last event that the client has, -1 for none; or the header Last-Event-ID"),
});

/** Ours, not the original's: its streams could not be resumed. */
export const watchRun = operation({
  name: "watchRun",
  summary: "Replay the events of a run and follow them, from the start or after an event",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}/stream",
  query: position,
  streams: true,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: runId }, query, headers, connection }) => {
    const header = validated(position, { after: headers.get("last-event-id") ?? undefined });
    const after = query.after ?? header.after ?? -1;
    const ref = { partition: app.store.thread(tenant, threadId), threadId, runId };
    const run = await currentRun(app.engine, ref);
    const stream = new EventStream(connection);
    follow(app, ref, run, after, stream)
      .catch((error: unknown) => {
        app.log.warn("following a run's events failed", { run: runId, error });
        stream.push(errorEvent("The server had an error while it read this run's events."));
      })
      .finally(() => stream.end());
    return stream;
  },
});

/** Like the streams of the original, it ends where the run ends or waits for tool outputs. */
async function follow(app: App, ref: RunRef, first: Versioned<RunDoc>, after: number, stream: EventStream) {
  let run = first;
  let chunk = 0;
  let next = after + 1;
  const tell = async (events: RunEvent[], number: number) => {
    for (const [index, event] of events.entries()) {
      if (number + index < next) continue;
      // What is in the log need not wait in memory.
      await stream.hasRoom();
      stream.push(event, number + index);
      next = number + index + 1;
    }
  };
  for (let pause = SHORTEST_PAUSE; !stream.ended; ) {
    const { log, begins_with_thread: beginsWithThread } = run.internal;
    const over = isTerminal(run.status) || run.status === "requires_action";
    if (log.events === 0 && !over && !beginsWithThread) await tell(beginningOf(run), 0);
    while (chunk < log.chunks && !stream.ended) {
      const events = await readChunk(ref, chunk);
      if (events === undefined) break;
      await tell(decodeEvents(events.internal.entries, run), events.internal.first);
      chunk += 1;
    }
    if (over) {
      // The log is kept for a while only, or not at all: what is left to tell is how it ended.
      if (log.chunks === 0) await tell([runEvent(run, run.status)], next);
      else if (chunk < log.chunks) await tell([runEvent(run, run.status)], log.events - 1);
      return;
    }
    await sleep(pause, undefined, { signal: stream.gone }).catch(() => undefined);
    if (stream.ended) return;
    const changed = await changedRun(app.engine, ref, run);
    pause = changed === undefined ? Math.min(pause * SLOWER, LONGEST_PAUSE) : SHORTEST_PAUSE;
    run = changed ?? run;
  }
}

/** A chunk that its run counts may not be everywhere yet: only a second look tells that it is gone. */
async function readChunk(ref: RunRef, number: number): Promise<EventsDoc | undefined> {
  const found = await ref.partition.read<EventsDoc>(chunkId(ref.runId, number));
  if (found !== undefined) return found;
  await sleep(SHORTEST_PAUSE);
  return ref.partition.read<EventsDoc>(chunkId(ref.runId, number));
}
