/** What an operator reads: every line about a run names the run, its thread and tenant, and the attempt. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { advance } from "../../../src/runs/advance.ts";
import { Drives } from "../../../src/runs/drives.ts";
import { buryWakeUp, handleWakeUp } from "../../../src/runs/worker.ts";
import { type EngineWorld, type Question, startEngineWorld, until } from "./engine-world.ts";
import { collectedLog, type LogLine } from "./log-lines.ts";

const { log, lines } = collectedLog();
let world: EngineWorld;
beforeAll(async () => {
  world = await startEngineWorld({ MODEL_MAX_ATTEMPTS: "2", RUN_LEASE: "2" }, log);
});
afterEach(() => world.cosmos.setFaults([]));
afterAll(() => world.stop());

const about = (runId: string): LogLine[] => lines.filter((line) => JSON.stringify(Object.values(line)).includes(runId));
const saying = (runId: string, message: string) => about(runId).some((line) => line.message === message);

function expectNamed(asked: Question, runId: string, messages: string[]): void {
  const found = about(runId);
  expect(found.map(({ message }) => message)).toEqual(expect.arrayContaining(messages));
  for (const line of found) {
    expect(line).toMatchObject({ run: runId, thread: asked.threadId, tenant: asked.tenant });
    expect(line.attempt, line.message).toEqual(expect.any(Number));
  }
}

test("lines about a model call that fails, with its attempts", async () => {
  const asked = await world.question([{ status: 503 }, { status: 503 }]);
  const { run, job } = await asked.start();
  await advance({ ...world.engine, retriesInPlace: true }, job);
  expect((await asked.read(run.id)).status).toBe("failed");
  expectNamed(asked, run.id, ["model call failed"]);
  expect(about(run.id).map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test("lines about a store in trouble", async () => {
  const asked = await world.question([{ text: ["Be", "cause."], tokenMs: 3_000 }]);
  const { run, job } = await asked.start();
  const driven = advance(world.engine, job);
  await until(() => asked.calls() === 1);
  world.cosmos.setFaults([{ fault: "cut-before", containing: [asked.threadId] }]);
  await until(() => saying(run.id, "checkpoint failed"));
  world.cosmos.setFaults([]);
  await driven;
  expectNamed(asked, run.id, ["checkpoint failed"]);
});

test("lines about messages that cannot be read", async () => {
  const asked = await world.question([]);
  const { run, job } = await asked.start();
  world.cosmos.setFaults([{ fault: "429", ms: 1, operations: ["query"], containing: [asked.tenant] }]);
  await advance(world.engine, job);
  expectNamed(asked, run.id, ["the run's messages could not be read"]);
  expect((await asked.read(run.id)).internal).toMatchObject({ lease: null, attempts: 0 });
});

test("lines about a run that is deleted while it is driven", async () => {
  const asked = await world.question([{ text: ["Be", "cause."], tokenMs: 3_000 }]);
  const { run, job } = await asked.start();
  const driven = advance(world.engine, job);
  await until(() => asked.calls() === 1);
  await asked.partition.delete(run.id);
  await driven;
  expectNamed(asked, run.id, ["the run was taken over by another driver, or deleted"]);
});

test("lines about a run that this code cannot drive, and one whose wake-up failed at every delivery", async () => {
  const asked = await world.question([]);
  const { run, job } = await asked.start();
  await asked.partition.patchIf(run.id, "true", { "/truncation_strategy": null });
  await handleWakeUp({ ...world.engine, drives: new Drives() }, job);
  expectNamed(asked, run.id, ["a run fails because of an unexpected error"]);
  expect((await asked.read(run.id)).status).toBe("failed");

  const other = await world.question([]);
  const poisoned = await other.start();
  await buryWakeUp(world.engine, poisoned.job);
  expectNamed(other, poisoned.run.id, ["a run's wake-up failed at every delivery: the run is failed"]);
});

test("lines about a wake-up that met trouble before its run was read name all but the attempt", async () => {
  const asked = await world.question([]);
  const { run, job } = await asked.start();
  world.cosmos.setFaults([{ fault: "429", ms: 1, containing: [asked.threadId] }]);
  await handleWakeUp(world.engine, job);
  await buryWakeUp(world.engine, job).catch(() => undefined);
  const found = about(run.id);
  expect(found.map(({ message }) => message)).toContain("the store is in trouble; the run is looked at later");
  for (const line of found) expect(line).toMatchObject({ run: run.id, thread: asked.threadId, tenant: asked.tenant });
});
