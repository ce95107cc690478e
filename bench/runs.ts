/**
 * Background runs, many at a time: how many complete per second, and what each costs in Cosmos DB requests, request
 * units and Service Bus messages, as the SDKs' own answers say.
 *
 *   node bench/runs.ts [runs] [concurrency]      (after `npm run build`)
 */
import OpenAI from "openai";
import { startStack } from "../local/stack.ts";

const RUNS = Number(process.argv[2] ?? 1_000);
const CONCURRENCY = Number(process.argv[3] ?? 32);
const POLL_INTERVAL = 50;

interface Costs {
  cosmos: Record<string, { requests: number; units: number }>;
  serviceBus: { sent: number };
}

const stack = await startStack({ env: { SHOW_COSTS: "true" } });
try {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  const assistant = await client.beta.assistants.create({ model: "bench", instructions: "Answer." });
  await completeRuns(client, assistant.id, 50, CONCURRENCY);
  const threads = await prepareThreads(client, RUNS);
  const before = await readCosts();
  const started = performance.now();
  const { statuses, latencies, polls } = await completeRunsOn(client, assistant.id, threads, CONCURRENCY);
  const seconds = (performance.now() - started) / 1000;
  report(seconds, statuses, latencies, polls, difference(before, await readCosts()));
} finally {
  await stack.stop();
}

async function prepareThreads(client: OpenAI, count: number): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, CONCURRENCY, async () => {
    const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "What is a thread?" }] });
    ids.push(thread.id);
  });
  return ids;
}

async function completeRuns(client: OpenAI, assistantId: string, count: number, concurrency: number) {
  return completeRunsOn(client, assistantId, await prepareThreads(client, count), concurrency);
}

/** Creates a run on each thread and polls it to its end. Latencies in milliseconds. */
async function completeRunsOn(client: OpenAI, assistantId: string, threads: string[], concurrency: number) {
  const statuses = new Map<string, number>();
  const latencies: number[] = [];
  let polls = 0;
  await inParallel(threads.length, concurrency, async (index) => {
    const threadId = threads[index] ?? "";
    const started = performance.now();
    let run = await client.beta.threads.runs.create(threadId, { assistant_id: assistantId });
    while (run.status === "queued" || run.status === "in_progress") {
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
      run = await client.beta.threads.runs.retrieve(run.id, { thread_id: threadId });
      polls += 1;
    }
    latencies.push(performance.now() - started);
    statuses.set(run.status, (statuses.get(run.status) ?? 0) + 1);
  });
  return { statuses, latencies, polls };
}

async function inParallel(count: number, concurrency: number, work: (index: number) => Promise<void>) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function readCosts(): Promise<Costs> {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  return (await response.json()) as Costs;
}

function difference(before: Costs, after: Costs): Costs {
  const cosmos = Object.entries(after.cosmos).map(([name, cost]) => {
    const earlier = before.cosmos[name] ?? { requests: 0, units: 0 };
    return [name, { requests: cost.requests - earlier.requests, units: cost.units - earlier.units }] as const;
  });
  return {
    cosmos: Object.fromEntries(cosmos),
    serviceBus: { sent: after.serviceBus.sent - before.serviceBus.sent },
  };
}

function report(
  seconds: number,
  statuses: Map<string, number>,
  latencies: number[],
  polls: number,
  costs: Costs,
): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(0);
  console.log(`${RUNS} background runs, ${CONCURRENCY} at a time: ${[...statuses].map((s) => s.join(" ")).join(", ")}`);
  console.log(
    `${(RUNS / seconds).toFixed(1)} runs/s; as a polling client sees it p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`,
  );
  let requests = 0;
  let units = 0;
  for (const [name, cost] of Object.entries(costs.cosmos)) {
    if (cost.requests === 0) continue;
    requests += cost.requests;
    units += cost.units;
    console.log(
      `  ${name}: ${(cost.requests / RUNS).toFixed(2)} requests, ${(cost.units / RUNS).toFixed(1)} RU per run`,
    );
  }
  // A poll is one point read, of 1 RU up to 1 KB: the client's choice, not the run's need.
  console.log(
    `Cosmos DB: ${(requests / RUNS).toFixed(2)} requests, ${(units / RUNS).toFixed(1)} RU per run, polls included`,
  );
  console.log(`  of which polls: ${(polls / RUNS).toFixed(2)} requests per run`);
  console.log(`Service Bus: ${(costs.serviceBus.sent / RUNS).toFixed(2)} messages per run`);
}
