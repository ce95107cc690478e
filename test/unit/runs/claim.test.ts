import { ServiceBusClient } from "@azure/service-bus";
import { afterAll, beforeAll, expect, test } from "vitest";
import { QUEUE, type WakeUp, wakeUp } from "../../../src/jobs/wake-ups.ts";
import { SCHEMA_VERSION } from "../../../src/resources/schema-version.ts";
import { claimRun } from "../../../src/runs/claim.ts";
import type { Engine } from "../../../src/runs/engine.ts";
import { released, renewed } from "../../../src/runs/lifecycle.ts";
import { lookAt } from "../../../src/runs/wake.ts";
import { type CosmosConnection, connectCosmos } from "../../../src/store/cosmos.ts";
import { CostMeter } from "../../../src/store/cost.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import { SnapshotCache } from "../../../src/store/snapshots.ts";
import { Store } from "../../../src/store/store.ts";
import { StoreHealth, StoreTrouble } from "../../../src/store/trouble.ts";
import { type EngineWorld, type Question, startEngineWorld } from "./engine-world.ts";

let world: EngineWorld;
let connection: CosmosConnection;
let bus: ServiceBusClient;
let asked: Question;
beforeAll(async () => {
  world = await startEngineWorld();
  bus = new ServiceBusClient(world.queue.connectionString());
  connection = connectCosmos(world.app.config, new CostMeter(), new StoreHealth(Date.now));
});
afterAll(async () => {
  connection.close();
  await bus.close();
  await world.stop();
});

/** A run that a driver has claimed and left, as after `kill -9`. */
async function abandoned(): Promise<{ run: RunDoc; job: WakeUp; until: number }> {
  asked = await world.question([]);
  const { job } = await asked.start();
  const run = await claimRun(world.engine, job);
  const until = run?.internal.lease?.until;
  if (run === undefined || until === undefined) throw new Error("the run could not be claimed");
  return { run, job: lookAt(run), until };
}

/** The engine in a process of its own at another time; `troubledAt`: when its store was last in trouble. */
function engineAt(now: number, troubledAt?: number): Engine {
  let clock = troubledAt ?? now;
  const health = new StoreHealth(() => clock);
  if (troubledAt !== undefined) health.met(new StoreTrouble("a test's"));
  clock = now;
  const store = new Store(connection.containers, "session", {
    health,
    snapshots: new SnapshotCache(),
    consistency: world.app.store.consistency,
  });
  return { ...world.engine, store, now: () => now };
}

/** How many wake-ups the queue has taken, those apart that it has dropped as duplicates. */
function taken(): number {
  const totals = world.queue.entity(QUEUE)?.totals;
  return (totals?.sent ?? 0) - (totals?.duplicatesDropped ?? 0);
}

/** The wake-up for the second look at this run, which waits in the queue; and when it comes. Milliseconds since 1970. */
async function secondLook({ id }: RunDoc): Promise<{ job: WakeUp; at: number }> {
  const receiver = bus.createReceiver(QUEUE);
  const messages = await receiver.peekMessages(1_000);
  await receiver.close();
  const [second, ...others] = messages.filter(({ body }) => body.run === id && body.seen !== undefined);
  expect(others).toEqual([]);
  return { job: wakeUp.parse(second?.body), at: second?.scheduledEnqueueTimeUtc?.getTime() ?? 0 };
}

test("a run whose driver is dead is taken over at the second look after its lease's end, and that counts as an attempt", async () => {
  const { run, job, until } = await abandoned();
  expect(await claimRun(engineAt(until - 1), job)).toBeUndefined();
  expect(await claimRun(engineAt(until), job)).toBeUndefined();
  const second = await secondLook(run);
  // Of a lease of 20 seconds.
  expect(second.at - until).toBeGreaterThanOrEqual(2_000);
  expect(second.at - until).toBeLessThanOrEqual(3_000);
  expect(await claimRun(engineAt(second.at), second.job)).toMatchObject({ internal: { attempts: 2 } });
});

test("after an outage longer than the lease, a driver that lives keeps its run from a worker that met no trouble", async () => {
  const { run, job, until } = await abandoned();
  const back = until + 10_000;
  expect(await claimRun(engineAt(back), job)).toBeUndefined();
  const { job: second, at } = await secondLook(run);
  const { _etag: etag, ...driven } = await asked.read(run.id);
  const beat = await asked.partition.batch([{ put: renewed(driven, back + 1_000, 20_000), ifMatch: etag }]);
  expect(beat).toMatchObject({ ok: true });
  expect(await claimRun(engineAt(at), second)).toBeUndefined();
  expect((await asked.read(run.id)).internal).toMatchObject({ attempts: 1, lease: { until: back + 21_000 } });
});

test("after trouble with the store a driver gets time to write its answer, but not for ever", async () => {
  const { run, job, until } = await abandoned();
  expect(await claimRun(engineAt(until + 6_000, until + 2_000), job)).toBeUndefined();
  // The store is still in trouble now and then, as one is that is over its throughput.
  expect(await claimRun(engineAt(until + 60_000, until + 59_999), job)).toBeUndefined();
  const { job: second } = await secondLook(run);
  expect(await claimRun(engineAt(until + 62_000, until + 61_999), second)).toMatchObject({ status: "in_progress" });
});

test("wake-ups of a run in its grace become one", async () => {
  const { job, until } = await abandoned();
  // The middle of a pause.
  const now = Math.ceil(until / 5_000) * 5_000 + 1_000;
  const before = taken();
  for (let each = 0; each < 10; each++) await claimRun(engineAt(now + each * 100, now), job);
  expect(taken() - before).toBe(1);
});

test("wake-ups of a run that a newer build has written become one, and the run is left alone", async () => {
  const { run, job, until } = await abandoned();
  const newer: RunDoc = { ...run, internal: { ...run.internal, v: SCHEMA_VERSION + 1 } };
  expect((await asked.partition.batch([{ put: newer }])).ok).toBe(true);
  const now = Math.ceil(until / 5_000) * 5_000 + 60_000;
  const before = taken();
  for (let each = 0; each < 10; each++) await claimRun(engineAt(now + each * 100), job);
  expect(taken() - before).toBe(1);
  expect((await asked.read(run.id)).internal).toMatchObject({ v: SCHEMA_VERSION + 1, attempts: 1 });
});

test("wake-ups of a run that is driven become one, at its lease's end, and one that comes there early is not lost", async () => {
  const { job, until } = await abandoned();
  const before = taken();
  for (const early of [9_000, 5_000, 2_000]) await claimRun(engineAt(until - early), job);
  expect(taken() - before).toBe(1);
  await claimRun(engineAt(until - 300), job);
  expect(taken() - before).toBe(2);
});

test("a run that its driver has released rests until it is due; a wake-up may be a second early", async () => {
  const { run, job } = await abandoned();
  const due = world.engine.now() + 30_000;
  const { _etag: _, ...resting } = { ...released(run, due, false), _etag: "" };
  expect((await asked.partition.batch([{ put: resting }])).ok).toBe(true);
  expect(await claimRun(engineAt(due - 1_001), job)).toBeUndefined();
  expect(await claimRun(engineAt(due - 1_000), job)).toMatchObject({ internal: { attempts: 2 } });
});
