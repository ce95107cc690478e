/** Runs that are driven by the request that streams them (design: one engine, two drivers). */
import type { App } from "../app.ts";
import { drive, letGo } from "../runs/advance.ts";
import { laterLook } from "../runs/ending.ts";
import type { RunEvent, Sink } from "../runs/events.ts";
import { OwnedRun } from "../runs/owned-run.ts";
import type { MessageDoc, RunDoc } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import type { Connection } from "./connections.ts";
import { EventStream, errorEvent } from "./sse.ts";

/** What a stream says before its run is driven; `logged` tells whether the run's event log has it already. */
export interface Opening {
  events: RunEvent[];
  logged: boolean;
}

/**
 * Drives a claimed run and answers with its events. The run goes on if the client leaves; and if this process dies, a
 * wake-up at the lease's end brings a worker that takes it over. `window`: the run's messages, if they are read ahead.
 */
export function streamRun(
  app: App,
  tenant: string,
  run: Versioned<RunDoc>,
  opening: Opening,
  connection: Connection | undefined,
  window?: Promise<MessageDoc[]>,
): EventStream {
  const stream = new EventStream(connection);
  const { engine } = app;
  const push: Sink = (event) => stream.push(event);
  const { eventsTtl } = app.config.runs;
  const owned = new OwnedRun(engine.store.thread(tenant, run.thread_id), run, push, eventsTtl);
  for (const event of opening.events) (opening.logged ? push : owned.tell)(event);
  const until = run.internal.lease?.until ?? engine.now();
  void engine.wakeUps.send(laterLook(run), `${run.id}/takeover/${until}`, until);
  drive({ ...engine, retriesInPlace: true }, owned, window)
    .then((progress) => {
      if (progress === "left")
        stream.push(errorEvent("This stream ends early: its instance does not drive the run any more."));
    })
    .catch(async (error: unknown) => {
      app.log.error("streamed run failed; a worker takes it over", { run: run.id, error });
      stream.push(errorEvent("The server had an error while it streamed this run. The run goes on."));
      await letGo(engine, owned);
      await engine.wakeUps.send(laterLook(run), `${run.id}/let-go/${engine.now()}`);
    })
    .finally(() => stream.end());
  return stream;
}
