/**
 * Many runs that wait for tool outputs which never come: what they cost while they wait, how punctually they expire
 * though no client asks, and what a client that does ask just after the time is told.
 *
 *   node test/faults/measure/idle-runs.ts [runs=10000] [created a second at least=20]      (some twelve minutes)
 *
 * Promise: while they wait, the store gets the sweep's own queries and nothing else; every run is written expired
 * within five seconds of its time; and a client that asks after that time never sees it waiting.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import { inLanes } from "../../../bench/lib/lanes.ts";
import { quantile } from "../../../bench/lib/quantiles.ts";
import type { Stats, Tally } from "../../../local/cosmos/stats.ts";
import { controlModel } from "../../../local/model/control.ts";
import { startStack } from "../../../local/stack.ts";
import { buildIfStale } from "../../e2e/build.ts";
import { until, useOf } from "./figures.ts";

const RUNS = Number(process.argv[2] ?? 10_000);
const LANES = 32;

/** Seconds that the runs wait before the first one expires. */
const IDLE = 45;
/** Created in a second by a slow machine: the first run must not expire before all are there. */
const SLOWEST_CREATION = Number(process.argv[3] ?? 20);
const LIFETIME = Math.ceil(RUNS / SLOWEST_CREATION) + IDLE + 20;

/** Seconds. */
const PROMISED_LATENESS = 5;
/** Of the sweep's timer, in seconds. */
const SWEEP_INTERVAL = 15;
/** A query of all partitions is two requests: its plan, and itself. */
const REQUESTS_A_SWEEP = 2;
/** Of one processor: what timers and connections cost that are there anyway. */
const IDLE_CPU = 0.05;

/** How many clients ask just after their run's time. */
const ASKING = Math.min(50, Math.ceil(RUNS / 10));

interface WaitingRun {
  id: string;
  threadId: string;
  /** seconds since 1970 */
  expiresAt: number;
}

const broken: string[] = [];
const promise = (kept: boolean, what: string) => {
  if (!kept) broken.push(what);
};

buildIfStale();
const stack = await startStack({ env: { RUN_LIFETIME: String(LIFETIME) } });
const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
const container = cosmos.database("threadkeep").container("threads");
const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
try {
  const runs = await createWaitingRuns();
  await watchThemWait(runs);
  await watchThemExpire(runs);
} finally {
  cosmos.dispose();
  await stack.stop();
}
console.log(broken.length === 0 ? "kept" : `BROKEN: ${broken.join("; ")}`);
if (broken.length > 0) process.exitCode = 1;

async function createWaitingRuns(): Promise<WaitingRun[]> {
  const model = "calling";
  const call = { toolCalls: [{ name: "lookup", arguments: {} }] };
  await controlModel(stack.model.baseUrl).script(model, [call], { repeat: true });
  const tools = [{ type: "function" as const, function: { name: "lookup" } }];
  const assistant = await client.beta.assistants.create({ model, tools });
  const runs: WaitingRun[] = [];
  const started = Date.now();
  await inLanes(RUNS, LANES, async () => {
    const thread = { messages: [{ role: "user" as const, content: "Please look it up." }] };
    const run = await client.beta.threads.createAndRun({ assistant_id: assistant.id, thread });
    runs.push({ id: run.id, threadId: run.thread_id, expiresAt: run.expires_at ?? 0 });
  });
  await until(async () => (await countWaiting()) === RUNS, LIFETIME * 1000);
  const seconds = (Date.now() - started) / 1000;
  console.log(`${RUNS} runs wait for tool outputs after ${seconds.toFixed(0)} s; they live for ${LIFETIME} s`);
  return runs.toSorted((a, b) => a.expiresAt - b.expiresAt);
}

async function countWaiting(): Promise<number> {
  const query = "SELECT VALUE COUNT(1) FROM c WHERE c.internal.due > 0 AND c.status = 'requires_action'";
  return (await container.items.query<number>(query).fetchAll()).resources[0] ?? 0;
}

async function watchThemWait(runs: WaitingRun[]): Promise<void> {
  const first = (runs[0]?.expiresAt ?? 0) * 1000;
  // Nothing of the creation is to be under way any more.
  await sleep(2_000);
  const window = await observe(async () => {
    const rest = first - 1_000 - Date.now();
    if (rest < SWEEP_INTERVAL * 1000) throw new Error("creating the runs took too long: too little time to watch them");
    await sleep(Math.min(rest, IDLE * 1000));
  });
  const sweeps = Math.floor(window.seconds / SWEEP_INTERVAL) + 1;
  console.log(`waiting for ${window.seconds.toFixed(0)} s, all of them together: ${costs(window)}`);
  promise(window.stats.total.count <= sweeps * REQUESTS_A_SWEEP, "the store gets more requests than the sweep's");
  for (const [name, cpu] of Object.entries(window.cpu)) {
    promise(cpu / window.seconds < IDLE_CPU, `${name} is busy while the runs wait`);
  }
}

async function watchThemExpire(runs: WaitingRun[]): Promise<void> {
  const last = (runs.at(-1)?.expiresAt ?? 0) * 1000;
  const asked = runs.filter((_, index) => index % Math.floor(RUNS / ASKING) === 0);
  const window = await observe(async () => {
    await Promise.all(asked.map(askJustAfter));
    await sleep(Math.max(0, last + (PROMISED_LATENESS + 1) * 1000 - Date.now()));
  });
  console.log(`expiring: ${costs(window)}`);
  const perRun = (value: number) => (value / RUNS).toFixed(2);
  console.log(
    `per run: ${perRun(window.stats.total.count)} requests, ${perRun(window.stats.total.charge)} RU ` +
      `(${asked.length} GETs of clients among them), ${(((window.cpu.functions ?? 0) / RUNS) * 1000).toFixed(1)} ms of the app's CPU`,
  );
  await judgePunctuality(runs.filter((run) => !asked.includes(run)));
}

/** A clock's tick after its time: a client that asks then must not be told that the run still waits. */
async function askJustAfter({ id, threadId, expiresAt }: WaitingRun): Promise<void> {
  await sleep(Math.max(0, expiresAt * 1000 + 5 - Date.now()));
  const { status } = await client.beta.threads.runs.retrieve(id, { thread_id: threadId });
  promise(status === "expired", `a client was told ${status} after the run's time`);
}

/** By the time at which the store wrote the run last, in whole seconds. */
async function judgePunctuality(runs: WaitingRun[]): Promise<void> {
  const query = "SELECT c.id, c.status, c._ts FROM c WHERE c.internal.sort > 'run/' AND c.internal.sort < 'run/~'";
  const { resources } = await container.items.query<{ id: string; status: string; _ts: number }>(query).fetchAll();
  const stored = new Map(resources.map((run) => [run.id, run]));
  const lateness = runs.map(({ id, expiresAt }) => {
    const run = stored.get(id);
    return run?.status === "expired" ? run._ts - expiresAt : Number.POSITIVE_INFINITY;
  });
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(lateness, share));
  console.log(
    `${runs.length} runs expired by themselves, seconds after their time: p50 ${p50}, p99 ${p99}, max ${max}`,
  );
  promise((max ?? 0) <= PROMISED_LATENESS, `a run expired ${max} s late`);
  promise(Math.min(...lateness) >= 0, "a run expired before its time");
}

interface Window {
  seconds: number;
  stats: Stats;
  /** seconds of processor time, by process */
  cpu: Record<string, number>;
}

/** What the store was asked, and what the processes worked, while something else happens. */
async function observe(work: () => Promise<void>): Promise<Window> {
  const { cosmos: store, serviceBus, functions } = stack.processes;
  const cpuOf = () =>
    Object.fromEntries([functions, store, serviceBus].map(({ name, pid }) => [name, useOf(pid ?? 0).cpu]));
  await stats("stats/reset", "POST");
  const started = performance.now();
  const before = cpuOf();
  await work();
  const after = cpuOf();
  const cpu = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));
  return { seconds: (performance.now() - started) / 1000, stats: await stats("stats", "GET"), cpu };
}

async function stats(path: string, method: string): Promise<Stats> {
  return (await fetch(`${stack.cosmos.endpoint}/_local/${path}`, { method })).json() as Promise<Stats>;
}

function costs({ stats: { operations }, cpu }: Window): string {
  const tallies = Object.entries(operations).map(([name, tally]: [string, Tally]) => {
    return `${tally.count} ${name} (${tally.charge.toFixed(0)} RU)`;
  });
  const work = Object.entries(cpu).map(([name, value]) => `${name} ${value.toFixed(2)} s`);
  return `${tallies.join(", ") || "no request"}; CPU: ${work.join(", ")}`;
}
