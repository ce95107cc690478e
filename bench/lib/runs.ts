/** Background runs as clients meet them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Wire } from "./wire.ts";

export interface Run {
  id: string;
  status: string;
  required_action: { submit_tool_outputs: { tool_calls: { id: string }[] } } | null;
}

export const isUnderWay = ({ status }: Run): boolean => status === "queued" || status === "in_progress";

/** What a run is created with; its assistant, at least. */
export interface NewRun {
  assistant_id: string;
  truncation_strategy?: { type: "auto" } | { type: "last_messages"; last_messages: number };
}

export function createRun(wire: Wire, threadId: string, run: NewRun): Promise<Run> {
  return wire.json<Run>("POST", `threads/${threadId}/runs`, run);
}

export function getRun(wire: Wire, threadId: string, runId: string): Promise<Run> {
  return wire.json<Run>("GET", `threads/${threadId}/runs/${runId}`);
}

/** Throws if a run has ended in another way than it should have: then its time means nothing. */
export function expectStatus(run: Run, status: string): void {
  if (run.status !== status) throw new Error(`run ${run.id} is ${run.status}, not ${status}`);
}

/** When the client learned of it, in milliseconds after it sent the request to create the run. */
export interface Watched {
  started: number;
  completed: number;
}

/** Creates a run and looks at it again this long after each answer, in milliseconds, until it has completed. */
export async function watchByPolling(wire: Wire, threadId: string, newRun: NewRun, pause: number): Promise<Watched> {
  const sent = performance.now();
  let run = await createRun(wire, threadId, newRun);
  let started: number | undefined;
  while (isUnderWay(run)) {
    await sleep(pause);
    run = await getRun(wire, threadId, run.id);
    if (run.status !== "queued") started ??= performance.now() - sent;
  }
  const completed = performance.now() - sent;
  expectStatus(run, "completed");
  return { started: started ?? completed, completed };
}
