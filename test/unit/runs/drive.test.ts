import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { advance } from "../../../src/runs/advance.ts";
import { Drives } from "../../../src/runs/drives.ts";
import { driveStreamed, startStreamedRun } from "../../../src/runs/start.ts";
import { type EngineWorld, startEngineWorld, until } from "./engine-world.ts";
import { collectedLog } from "./log-lines.ts";

const { log, lines } = collectedLog();
let world: EngineWorld;
beforeAll(async () => {
  world = await startEngineWorld({}, log);
});
afterEach(() => world.cosmos.setFaults([]));
afterAll(() => world.stop());

async function openStreams(): Promise<number> {
  const stats = await (await fetch(new URL("/_local/stats", world.model.baseUrl))).json();
  return (stats as { openStreams: number }).openStreams;
}

/** Model and driver are in this process: what the model has sent is read within a few rounds of the event loop. */
async function roundsOfTheLoop(count: number): Promise<void> {
  for (let round = 0; round < count; round++) await setImmediate();
}

test("an answer that is complete when its process is told to stop is written, not handed back", async () => {
  const { cosmos } = world;
  const engine = { ...world.engine, drives: new Drives() };
  // The driver looks at the run after a second: that look is under way when the model ends.
  const asked = await world.question([{ text: ["Be", "cause."], tokenMs: 1_500 }]);
  const { run, job } = await asked.start();
  const driven = advance(engine, job);
  await until(() => asked.calls() === 1);
  cosmos.setFaults([{ fault: "hold-before", containing: [asked.threadId] }]);
  await until(() => cosmos.faults()[0]?.held === 1);
  await until(async () => (await openStreams()) === 0);
  await roundsOfTheLoop(50);
  const stopped = engine.drives.stop();
  cosmos.setFaults([]);
  await Promise.all([driven, stopped]);

  expect(await asked.read(run.id)).toMatchObject({ status: "completed" });
  expect(asked.calls()).toBe(1);
});

test("an answer under way when its process is told to stop is handed back at once, and is no attempt", async () => {
  const engine = { ...world.engine, drives: new Drives() };
  const asked = await world.question([{ text: ["Be", "cause."], tokenMs: 60_000 }]);
  const { run, job } = await asked.start();
  const driven = advance(engine, job);
  await until(() => asked.calls() === 1);
  await Promise.all([driven, engine.drives.stop()]);
  expect(await asked.read(run.id)).toMatchObject({ status: "in_progress", internal: { lease: null, attempts: 0 } });
});

test("a driver that is told to stop in the pause after a failed model call leaves the pause and the attempt on the run", async () => {
  const engine = { ...world.engine, drives: new Drives(), retriesInPlace: true };
  const asked = await world.question([{ status: 429, retryAfter: 3_00 }]);
  const { run, job } = await asked.start();
  const driven = advance(engine, job);
  await until(() => lines.some((line) => line.run === run.id && line.message === "model call failed"));
  await roundsOfTheLoop(50);
  await Promise.all([driven, engine.drives.stop()]);

  const { status, internal } = await asked.read(run.id);
  expect({ status, lease: internal.lease, attempts: internal.attempts }).toEqual({
    status: "in_progress",
    lease: null,
    attempts: 1,
  });
  expect(internal.due).toBeGreaterThan(engine.now() + 200_000);
});

test("an attempt that failed stays counted though the store takes no count of the next one", async () => {
  const { cosmos } = world;
  const asked = await world.question([{ status: 503 }]);
  const { run, job } = await asked.start();
  const driven = advance({ ...world.engine, retriesInPlace: true }, job);
  await until(() => lines.some((line) => line.run === run.id && line.message === "model call failed"));
  cosmos.setFaults([{ fault: "cut-before", operations: ["batch"], containing: [asked.threadId] }]);
  await until(() => lines.some((line) => line.run === run.id && line.message === "an attempt could not be counted"));
  cosmos.setFaults([]);
  await driven;
  expect(await asked.read(run.id)).toMatchObject({ status: "in_progress", internal: { lease: null, attempts: 1 } });
});

test("an answer that this code fails to write down fails its run, is not asked for again, and does not stay connected", async () => {
  const asked = await world.question([{ toolCalls: [{ id: "call_a", name: "f" }], tokenMs: 60_000 }]);
  const streamed = await startStreamedRun(world.engine, asked.newRun());
  const events: string[] = [];
  // What hears the events must not throw: if it does all the same, that is a fault in the middle of reading an answer.
  await driveStreamed(world.engine, streamed, ({ event }) => {
    events.push(event);
    if (event === "thread.run.step.created") throw new Error("a fault of this code");
  });
  expect(events.at(-1)).toBe("thread.run.failed");
  const { status, last_error: error } = await asked.read(streamed.run.id);
  expect({ status, code: error?.code }).toEqual({ status: "failed", code: "server_error" });
  await until(async () => (await openStreams()) === 0);
  expect(asked.calls()).toBe(1);
});
