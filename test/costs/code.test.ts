/** What code costs beside its model calls: writes and reads of the store, requests to the pool of sessions. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { DRAW } from "../e2e/code-scene.ts";
import { stopSound } from "../lib/sound-store.ts";

/** Request units of a turn of code with little output. */
const MOST_UNITS = 60;
const PATIENCE = 120_000;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  // The queries of the sweep are not the cost of any single run.
  const env = { SHOW_COSTS: "true", "AzureWebJobs.sweep.Disabled": "true" };
  stack = await startStack({ env, blobs: true, code: { isPrepared: true } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
}, PATIENCE);
afterAll(() => stopSound(stack));

type Costs = Record<string, { requests: number; units: number }>;

async function storeCosts(): Promise<Costs> {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  return ((await response.json()) as { cosmos: Costs }).cosmos;
}

const OPERATIONS = ["execute", "list-files", "content", "upload", "metadata", "delete-session"] as const;
type Counts = Record<(typeof OPERATIONS)[number], number>;

const faultsUrl = () => new URL("/_local/faults", stack.codeSessions?.endpoint);

/** A fault that does nothing is counted like any other. */
async function countPool(): Promise<void> {
  const rules = OPERATIONS.map((operation) => ({ fault: "latency", ms: 0, operations: [operation] }));
  const { status } = await fetch(faultsUrl(), { method: "PUT", body: JSON.stringify(rules) });
  expect(status).toBe(200);
}

async function poolCounts(): Promise<Counts> {
  const rules = (await (await fetch(faultsUrl())).json()) as { fired: number }[];
  return Object.fromEntries(OPERATIONS.map((operation, index) => [operation, rules[index]?.fired ?? 0])) as Counts;
}

const python = (code: string): Turn => ({ toolCalls: [{ name: "python", arguments: { code } }] });

/** A run of a thread of its own: what it costs, streamed, so that no poll costs by time. */
async function costOf(turns: Turn[], tools: OpenAI.Beta.AssistantTool[]) {
  const model = `model-${crypto.randomUUID()}`;
  await controlModel(stack.model.baseUrl).script(model, turns);
  const assistant = await client.beta.assistants.create({ model, tools });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  await countPool();
  const before = await storeCosts();
  const run = await client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id }).finalRun();
  expect(run.status).toBe("completed");
  const [after, pool] = [await storeCosts(), await poolCounts()];
  await client.beta.threads.delete(thread.id);
  const names = Object.keys(after);
  const of = (what: "requests" | "units") =>
    Object.fromEntries(
      names
        .map((name) => [name, (after[name]?.[what] ?? 0) - (before[name]?.[what] ?? 0)])
        .filter(([, sum]) => sum !== 0),
    ) as Record<string, number>;
  return { requests: of("requests"), units: Object.values(of("units")).reduce((sum, each) => sum + each, 0), pool };
}

const CODE = [{ type: "code_interpreter" as const }];
const SAY: Turn = { text: "Because." };

test("a turn of code is two batches and one execution; the first one of a drive lists the session's files", {
  timeout: 3 * PATIENCE,
}, async () => {
  const turn = python("1 + 1");
  // The first run of a process loads and asks what later ones know.
  await costOf([turn, SAY], CODE);
  const one = await costOf([turn, SAY], CODE);
  const three = await costOf([turn, turn, turn, SAY], CODE);
  console.log("one turn of code", one, "three", three);
  const perTurn = (name: string) => ((three.requests[`docs.${name}`] ?? 0) - (one.requests[`docs.${name}`] ?? 0)) / 2;
  expect(perTurn("batch")).toBe(2);
  expect(perTurn("read")).toBeLessThan(1);
  expect((three.units - one.units) / 2).toBeLessThan(MOST_UNITS);
  expect(one.pool).toEqual({ execute: 1, "list-files": 1, content: 0, upload: 0, metadata: 0, "delete-session": 0 });
  expect(three.pool).toEqual({ ...one.pool, execute: 3 });
});

test("an image is read once, and is one document more", { timeout: 3 * PATIENCE }, async () => {
  const plain = await costOf([python("1"), SAY], CODE);
  const drawn = await costOf([python(DRAW), SAY], CODE);
  expect(drawn.pool).toEqual({ ...plain.pool, content: 1 });
  expect((drawn.requests["docs.batch"] ?? 0) - (plain.requests["docs.batch"] ?? 0)).toBe(1);
});

test("a run that may run code and does not reads its thread, and costs nothing else", {
  timeout: PATIENCE,
}, async () => {
  const without = await costOf([SAY], []);
  const unused = await costOf([SAY], CODE);
  console.log("without the tool", without, "unused", unused);
  expect(without.requests).toEqual(PLAIN);
  expect(unused.requests).toEqual({ ...PLAIN, "docs.read": PLAIN["docs.read"] + 1 });
  expect(unused.pool).toEqual({ execute: 0, "list-files": 0, content: 0, upload: 0, metadata: 0, "delete-session": 0 });
});

/** A streamed run without tools: its assistant, its creation, its window, its end. */
const PLAIN = { "docs.batch": 2, "docs.query": 1, "docs.read": 1 };
