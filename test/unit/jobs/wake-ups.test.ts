import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { purgeJob, wakeUp } from "../../../src/jobs/wake-ups.ts";
import { SCHEMA_VERSION } from "../../../src/resources/schema-version.ts";
import { advance } from "../../../src/runs/advance.ts";
import { buryWakeUp, handleWakeUp } from "../../../src/runs/worker.ts";
import { until } from "../../e2e/harness.ts";
import { runIn } from "../documents.ts";
import { startWorld, type World } from "../threads/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

/** What is scheduled for half a minute later is for now. */
const early = () => ({ ...world.engine, now: () => Date.now() - 30_000 });

describe("a wake-up of a kind that this build does not know", () => {
  const newer = { v: SCHEMA_VERSION + 1, kind: "index", tenant: "acme", file: { id: "file_1" } };

  test("goes back for a newer build, with everything that it says", async () => {
    await handleWakeUp(early(), newer);
    expect(await world.receive()).toEqual({ ...newer, passes: 1 });
    await handleWakeUp(early(), { ...newer, passes: 1 });
    expect(await world.receive()).toEqual({ ...newer, passes: 2 });
  });

  test("waits before it comes again", async () => {
    await handleWakeUp(world.engine, { ...newer, file: { id: "file_2" } });
    expect(await world.receive(300)).toBeUndefined();
  });

  test("is dropped in the end, if no newer build is left", async () => {
    await handleWakeUp(early(), { ...newer, passes: 240 });
    expect(await world.receive(300)).toBeUndefined();
  });

  test("fails no run when it is buried, though it names one", async () => {
    const { tenant, id, partition } = await world.thread(0);
    const run = { ...runIn("queued"), pk: `${tenant}:${id}`, thread_id: id };
    await partition.create(run);
    await buryWakeUp(world.engine, { kind: "index", tenant, thread: id, run: run.id });
    expect(await partition.read(run.id)).toMatchObject({ status: "queued" });
  });
});

describe("a run's wake-up of a newer version", () => {
  test("goes back for a newer build", async () => {
    const newer = { v: SCHEMA_VERSION + 1, tenant: "acme", thread: "thread_1", run: "run_1" };
    await handleWakeUp(early(), newer);
    expect(await world.receive()).toEqual({ ...newer, passes: 1 });
  });

  test("fails no run when it is buried", async () => {
    const { tenant, id, partition } = await world.thread(0);
    const run = { ...runIn("queued"), pk: `${tenant}:${id}`, thread_id: id };
    await partition.create(run);
    const job = { tenant, thread: id, run: run.id };
    await buryWakeUp(world.engine, { v: SCHEMA_VERSION + 1, ...job });
    expect(await partition.read(run.id)).toMatchObject({ status: "queued" });
    await buryWakeUp(world.engine, { v: 1, ...job });
    expect(await partition.read(run.id)).toMatchObject({ status: "failed" });
  });
});

test("a run's wake-up tells its version, and keeps what only a newer build knows", async () => {
  const job = wakeUp.parse({ tenant: "t", thread: "t1", run: "r1", trace: "00-1" });
  expect(await world.app.wakeUps.send(job, "told")).toBe(true);
  // Others that have waited may come before.
  const found = await until(async () => [await world.receive()].find((body) => Object(body).run === "r1"));
  expect(found).toEqual({ ...job, v: 1 });
});

test("a build that knows no kinds takes the wake-up of a purge for that of a run, and does nothing", async () => {
  const thread = await world.thread(1);
  const asRun = wakeUp.parse(purgeJob(thread.tenant, thread.id, 1));
  await advance(world.engine, asRun);
  expect(await thread.count()).toBe(2);
});

test("more wake-ups than one batch holds are all sent, also those whose ids are too long for Service Bus", async () => {
  const job = { tenant: "t".repeat(200), thread: "thread_1", run: "run_1" };
  const number = 5_000;
  const wakeUps = Array.from({ length: number }, (_, n) => ({ job, id: `${n}/${"x".repeat(n === 7 ? 300 : 100)}` }));
  const before = world.queue.queues[0]?.totals.sent ?? 0;
  expect(await world.app.wakeUps.sendAll(wakeUps)).toBe(true);
  expect((world.queue.queues[0]?.totals.sent ?? 0) - before).toBe(number);
  expect(world.app.wakeUps.sent).toBeGreaterThanOrEqual(number);
});
