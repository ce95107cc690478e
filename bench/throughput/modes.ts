/** The three kinds of run whose throughput is measured. */
import { createRun, expectStatus } from "../lib/runs.ts";
import { QUESTION } from "../lib/subject.ts";
import type { Wire } from "../lib/wire.ts";
import type { Pollster } from "./pollster.ts";

export const FUNCTION = "get_weather";

/** Milliseconds after which the leases of streamed runs (20 s) have ended and their wake-ups have been handled. */
export const GUARDS_DONE = 22_000;

export interface Mode {
  name: "streamed" | "background" | "with a tool call";
  question: string;
  /** Takes a run on this thread from its creation to its end. Throws if it does not complete. */
  complete(wire: Wire, threadId: string, assistantId: string, pollster: Pollster): Promise<void>;
  /** What the same run asks of an app that does nothing, beside its polls. */
  requests: { streams: number; creations: number; submissions: number; wakeUps: number };
}

/** Created, and asked for until it has ended. */
export const BACKGROUND: Mode = {
  name: "background",
  question: QUESTION,
  async complete(wire, threadId, assistantId, pollster) {
    const run = await createRun(wire, threadId, { assistant_id: assistantId });
    expectStatus(await pollster.settled(wire, threadId, run), "completed");
  },
  requests: { streams: 0, creations: 1, submissions: 0, wakeUps: 1 },
};

/** The same, with a pause in which the client calls a function. */
export const WITH_TOOL_CALL: Mode = {
  name: "with a tool call",
  question: `Use ${FUNCTION} to tell me the weather in Paris.`,
  async complete(wire, threadId, assistantId, pollster) {
    const created = await createRun(wire, threadId, { assistant_id: assistantId });
    const paused = await pollster.settled(wire, threadId, created);
    expectStatus(paused, "requires_action");
    const calls = paused.required_action?.submit_tool_outputs.tool_calls ?? [];
    const outputs = calls.map(({ id }) => ({ tool_call_id: id, output: "22 degrees and sunny" }));
    const path = `threads/${threadId}/runs/${paused.id}/submit_tool_outputs`;
    await wire.json("POST", path, { tool_outputs: outputs });
    expectStatus(await pollster.settled(wire, threadId, paused), "completed");
  },
  requests: { streams: 0, creations: 1, submissions: 1, wakeUps: 2 },
};

/** One request that answers with the run's events. */
export const STREAMED: Mode = {
  name: "streamed",
  question: QUESTION,
  async complete(wire, threadId, assistantId) {
    const body = { assistant_id: assistantId, stream: true };
    const { text } = await (await wire.stream("POST", `threads/${threadId}/runs`, body)).ended;
    if (!text.includes("event: thread.run.completed")) throw new Error(`a stream did not complete: ${text}`);
  },
  // The wake-up for the end of its lease comes long after the measurement.
  requests: { streams: 1, creations: 0, submissions: 0, wakeUps: 0 },
};

export const MODES: Mode[] = [BACKGROUND, WITH_TOOL_CALL, STREAMED];
