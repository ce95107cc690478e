/** Runs that are driven by the request that streams them. */
import type { App } from "../app.ts";
import { driveStreamed, type StreamedRun } from "../runs/start.ts";
import type { Connection } from "./connections.ts";
import { type Include, shownEvent } from "./include.ts";
import { EventStream } from "./sse.ts";

/** Answers with the run's events while this process drives it. */
export function streamRun(
  app: App,
  run: StreamedRun,
  connection: Connection | undefined,
  query: Include = {},
): EventStream {
  const stream = new EventStream(connection);
  void driveStreamed(app.engine, run, (event) => stream.push(shownEvent(event, query))).finally(() => stream.end());
  return stream;
}
