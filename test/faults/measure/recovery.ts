/**
 * How long a run stands still when its process is killed (kill -9), with the default lease and queue lock: the time from
 * the kill to the run's next model call, for background and streamed runs, at random ages.
 *
 *   node test/faults/measure/recovery.ts [kills=60] [runs an instance=20]      (some 45 s a kill)
 *
 * Promise: 99 of 100 runs go on within the queue's lock duration and five seconds, and every one ends completed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import { quantile } from "../../../bench/lib/quantiles.ts";
import type { Child } from "../../../local/child.ts";
import { controlModel } from "../../../local/model/control.ts";
import type { Turn } from "../../../local/model/turn.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { buildIfStale } from "../../e2e/build.ts";
import { until } from "./figures.ts";

const KILLS = Number(process.argv[2] ?? 60);
const RUNS = Number(process.argv[3] ?? 20);

/** Of the queue, as local/service-bus/config.json and the docs say. Seconds. */
const LOCK_DURATION = 30;
const PROMISED = (LOCK_DURATION + 5) * 1000;

/**
 * From the last run's creation to the kill, at random: a lease is renewed every ten seconds, a lock after twenty for the
 * first time. Milliseconds.
 */
const AGES = { youngest: 1_500, oldest: 24_000 };
/** After that, a run that stands still counts as stuck. Milliseconds. */
const PATIENCE = 120_000;

const WORDS = 300;
/** Outlasts every recovery. */
const LONG: Turn = { text: Array.from({ length: WORDS }, (_, number) => `word${number} `), tokenMs: 300 };
const SHORT: Turn = { text: "Because." };

type Kind = "background" | "streamed";

interface StartedRun {
  kind: Kind;
  model: string;
  threadId: string;
}

const stillness: Record<Kind, number[]> = { background: [], streamed: [] };
const problems: string[] = [];

buildIfStale();
const stack = await startStack({ moreHosts: [{ name: "other", env: {} }] });
const models = controlModel(stack.model.baseUrl);
const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
try {
  const hosts = [stack.processes.functions, ...stack.processes.moreHosts];
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = hosts[kill % hosts.length];
    const survivor = hosts[(kill + 1) % hosts.length];
    if (victim === undefined || survivor === undefined) throw new Error("there must be two hosts");
    await measureKill(victim, survivor);
    console.log(`kill ${kill + 1}: ${figures("background")}; ${figures("streamed")}; ${problems.length} problems`);
  }
} finally {
  cosmos.dispose();
  await stack.stop();
}
report();

async function measureKill(victim: Child, survivor: Child): Promise<void> {
  const runs = await Promise.all(
    [victim, survivor].flatMap((host) =>
      Array.from({ length: RUNS }, (_, index) => startRun(host, index % 2 === 0 ? "background" : "streamed")),
    ),
  );
  await until(async () => (await ownersOf(runs)).size === runs.length, 30_000);
  await sleep(AGES.youngest + Math.random() * (AGES.oldest - AGES.youngest));
  const owners = await ownersOf(runs);
  const orphans = runs.filter(({ threadId }) => owners.get(threadId)?.includes(`/${victim.pid}/`));
  const killedAt = Date.now();
  await victim.kill("SIGKILL");
  await Promise.all([victim.start(), ...orphans.map((run) => measureRecovery(run, killedAt, survivor))]);
  // The others go on undisturbed: that is not what is measured.
  await Promise.all(runs.filter((run) => !orphans.includes(run)).map((run) => cancel(run, survivor)));
  await Promise.all(runs.map(({ model }) => models.forget(model)));
}

async function startRun(host: Child, kind: Kind): Promise<StartedRun> {
  const { assistants, threads } = clientAt(stack, host).beta;
  const model = `model-${crypto.randomUUID()}`;
  await models.script(model, [LONG, SHORT]);
  const assistant = await assistants.create({ model });
  const thread = await threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const request = { assistant_id: assistant.id };
  if (kind === "background") await threads.runs.create(thread.id, request);
  else read(await threads.runs.create(thread.id, { ...request, stream: true }));
  return { kind, model, threadId: thread.id };
}

/** As a client does who wants the whole answer; the kill breaks the stream. */
function read(stream: AsyncIterable<unknown>): void {
  const readAll = async () => {
    for await (const _event of stream);
  };
  readAll().catch(() => undefined);
}

/** Who drives the runs, by their threads. */
async function ownersOf(runs: StartedRun[]): Promise<Map<string, string>> {
  const query =
    "SELECT c.thread_id AS thread, c.internal.lease.owner AS owner FROM c " +
    "WHERE c.internal.due > 0 AND c.kind = 'run' AND c.status = 'in_progress'";
  const container = cosmos.database("threadkeep").container("threads");
  const { resources } = await container.items.query<{ thread: string; owner: string }>(query).fetchAll();
  const mine = new Set(runs.map(({ threadId }) => threadId));
  return new Map(resources.filter(({ thread }) => mine.has(thread)).map(({ thread, owner }) => [thread, owner]));
}

async function measureRecovery(run: StartedRun, killedAt: number, survivor: Child): Promise<void> {
  try {
    const next = await until(async () => {
      const times = (await models.report(run.model)).requests.map(({ time }) => Date.parse(time));
      return times.find((time) => time > killedAt);
    }, PATIENCE);
    stillness[run.kind].push(next - killedAt);
    const { runs } = clientAt(stack, survivor).beta.threads;
    const status = async () => (await runs.list(run.threadId)).data[0]?.status;
    await until(async () => (await status()) === "completed", PATIENCE);
  } catch (error) {
    problems.push(`${run.kind} run of ${run.threadId}: ${error}`);
  }
}

async function cancel({ threadId }: StartedRun, host: Child): Promise<void> {
  const { runs } = clientAt(stack, host).beta.threads;
  const [run] = (await runs.list(threadId)).data;
  // It may have ended meanwhile.
  if (run !== undefined) await runs.cancel(run.id, { thread_id: threadId }).catch(() => undefined);
}

function clientAt({ apiKey }: Stack, host: Child): OpenAI {
  return new OpenAI({ apiKey, baseURL: `http://127.0.0.1:${host.ports.port}/v1` });
}

function figures(kind: Kind): string {
  const values = stillness[kind];
  const seconds = (value: number) => `${(value / 1000).toFixed(1)} s`;
  const shown = [0.5, 0.99, 1].map((share) => seconds(quantile(values, share)));
  return `${values.length} ${kind} runs: p50 ${shown[0]}, p99 ${shown[1]}, max ${shown[2]}`;
}

function report(): void {
  const p99 = quantile([...stillness.background, ...stillness.streamed], 0.99);
  const kept = p99 <= PROMISED && problems.length === 0;
  console.log(`${KILLS} kills, time to the next model call (promise: p99 within ${PROMISED / 1000} s)`);
  console.log(figures("background"));
  console.log(figures("streamed"));
  for (const problem of problems) console.log(problem);
  console.log(kept ? "kept" : "BROKEN");
  if (!kept) process.exitCode = 1;
}
