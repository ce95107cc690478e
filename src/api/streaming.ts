/** Runs that are driven by the request that streams them. */
import type { App } from "../app.ts";
import type { StreamedRun } from "../runs/start.ts";
import type { Connection } from "./connections.ts";
import { type Include, shownEvent } from "./include.ts";
import { EventStream } from "./sse.ts";

/** What starts and drives runs: loaded with the first of them, a moment after the first answer at the latest. */
export const runStarts = () => import("../runs/start.ts");

/** Answers with the run's events while this process drives it. */
export function streamRun(
  app: App,
  run: StreamedRun,
  connection: Connection | undefined,
  query: Include = {},
): EventStream {
  const stream = new EventStream(connection);
  const drive = async () => {
    const { driveStreamed } = await runStarts();
    await driveStreamed(app.engine, run, (event) => stream.push(shownEvent(event, query)));
  };
  void drive().finally(() => stream.end());
  return stream;
}
