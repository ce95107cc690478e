import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { App } from "../../app.ts";
import { isTerminal } from "../../resources/run.ts";
import { changedRun, currentRun, type RunRef } from "../../runs/commands.ts";
import { EventDecoder } from "../../runs/event-decoding.ts";
import { stepsOf } from "../../runs/event-encoding.ts";
import { beginningOf, errorEvent, type RunEvent, runEvent } from "../../runs/events.ts";
import { LogChunks } from "../../runs/log-chunks.ts";
import { logOf } from "../../runs/settle.ts";
import { readShortLog } from "../../runs/short-log.ts";
import { isNewer, type MessageDoc, type RunDoc, type ShortLog, type StepDoc } from "../../store/documents.ts";
import type { Versioned } from "../../store/partition.ts";
import { type Include, includeQuery, shownEvent } from "../include.ts";
import { operation } from "../operation.ts";
import { EventStream } from "../sse.ts";
import { validated } from "../validation.ts";

/**
 * How often a run is looked at while it goes on: soon after something new, then less and less. A pause is always about
 * a fifth of the time that nothing has changed: what is driven, and saved once a second, is seen within a fraction of a
 * second, and a run that waits for its worker for minutes costs a look every few seconds. Milliseconds.
 */
const SHORTEST_PAUSE = 10;
const LONGEST_PAUSE = 4_000;
const SLOWER = 1.25;

const position = includeQuery.extend({
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
    follow(app, ref, run, { ...query, after }, stream)
      .catch((error: unknown) => {
        logOf(app.engine, run).warn("following a run's events failed", { error });
        stream.push(errorEvent("The server had an error while it read this run's events."));
      })
      .finally(() => stream.end());
    return stream;
  },
});

/** Like the streams of the original, it ends where the run ends or waits for tool outputs. */
async function follow(
  app: App,
  ref: RunRef,
  first: Versioned<RunDoc>,
  { after, ...include }: Include & { after: number },
  stream: EventStream,
) {
  let run = first;
  let next = after + 1;
  let told = "";
  const chunks = new LogChunks(ref.partition, ref.runId);
  const decoder = new EventDecoder();
  const tell = async (events: (RunEvent | undefined)[], number: number) => {
    for (const [index, event] of events.entries()) {
      if (event !== undefined) told = event.event;
      if (number + index < next) continue;
      // What is in the log need not wait in memory.
      await stream.hasRoom();
      if (event !== undefined) stream.push(shownEvent(event, include), number + index);
      next = number + index + 1;
    }
  };
  for (let pause = SHORTEST_PAUSE; !stream.ended; ) {
    const { log, begins_with_thread: beginsWithThread } = run.internal;
    const over = isTerminal(run.status) || run.status === "requires_action";
    if (log.events === 0 && !over && !beginsWithThread && !isNewer(run)) await tell(beginningOf(run), 0);
    for (let chunk = await chunks.next(log.chunks); chunk !== undefined; chunk = await chunks.next(log.chunks)) {
      if (chunk.afterGap) decoder.skip();
      const steps = await Promise.all(stepsOf(chunk.entries).map((id) => ref.partition.read<StepDoc>(id)));
      await tell(decoder.decode(chunk.entries, run, steps), chunk.first);
      if (stream.ended) return;
    }
    const { short_log: short } = run.internal;
    if (short !== undefined && app.now() < short.until) await tell(await readShort(ref, run, short), 0);
    if (over) {
      // The log is kept for a while only, not at all, or without what did not fit: then this tells how the run ended.
      const end = runEvent(run, run.status);
      if (told !== end.event) await tell([end], Math.max(next, log.events - 1));
      return;
    }
    await sleep(pause, undefined, { signal: stream.gone }).catch(() => undefined);
    if (stream.ended) return;
    const changed = await changedRun(app.engine, ref, run);
    pause = changed === undefined ? Math.min(pause * SLOWER, LONGEST_PAUSE) : SHORTEST_PAUSE;
    run = changed ?? run;
  }
}

async function readShort(ref: RunRef, run: RunDoc, short: ShortLog): Promise<(RunEvent | undefined)[]> {
  const documents = await Promise.all(short.objects.map((id) => ref.partition.read<StepDoc | MessageDoc>(id)));
  return readShortLog(run, short, documents);
}
