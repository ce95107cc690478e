import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { App } from "../../app.ts";
import { isTerminal } from "../../resources/run.ts";
import { currentRun, type RunRef } from "../../runs/commands.ts";
import { chunkId, decodeEvents } from "../../runs/event-log.ts";
import { runEvent } from "../../runs/events.ts";
import type { EventsDoc, RunDoc } from "../../store/documents.ts";
import { operation } from "../operation.ts";
import { EventStream, errorEvent } from "../sse.ts";
import { validated } from "../validation.ts";

/** How often a log is asked for more while its run goes on: soon after something new, then less and less. Milliseconds. */
const SHORTEST_PAUSE = 25;
const LONGEST_PAUSE = 400;
const SLOWER = 1.5;

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
async function follow(app: App, ref: RunRef, first: RunDoc, after: number, stream: EventStream): Promise<void> {
  let chunk = 0;
  let pause = SHORTEST_PAUSE;
  while (!stream.ended) {
    const events = await ref.partition.read<EventsDoc>(chunkId(ref.runId, chunk));
    if (events !== undefined) {
      pushChunk(events, first, after, stream);
      chunk += 1;
      pause = SHORTEST_PAUSE;
      continue;
    }
    const run = await currentRun(app.engine, ref);
    const { log } = run.internal;
    const over = isTerminal(run.status) || run.status === "requires_action";
    if (over && log.chunks <= chunk) return;
    if (over && (await isGone(ref, chunk))) {
      // The log is kept for a while only, or not at all: what is left to tell is how it ended.
      stream.push(runEvent(run, run.status), Math.max(log.events - 1, 0));
      return;
    }
    await sleep(pause);
    pause = Math.min(pause * SLOWER, LONGEST_PAUSE);
  }
}

/** A chunk may have been written between two reads: only a second look tells that it is gone. */
async function isGone(ref: RunRef, chunk: number): Promise<boolean> {
  return (await ref.partition.read<EventsDoc>(chunkId(ref.runId, chunk))) === undefined;
}

function pushChunk({ internal }: EventsDoc, run: RunDoc, after: number, stream: EventStream): void {
  for (const [index, event] of decodeEvents(internal.entries, run).entries()) {
    const number = internal.first + index;
    if (number > after) stream.push(event, number);
  }
}
