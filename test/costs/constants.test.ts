/** What does not change during a run (instructions, tools) is stored once: long ones cost a thread's first run only. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { stopSound } from "../lib/sound-store.ts";

/** Of instructions and tools together. Characters. */
const LARGE = 32_000;
const ROUNDS = 5;

/** From the second run of a thread on, against a run with neither. */
const MOST = 1.15;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  // The queries of the sweep are not the cost of any single run.
  stack = await startStack({ env: { SHOW_COSTS: "true", "AzureWebJobs.sweep.Disabled": "true" } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(() => stopSound(stack));

/** Request units that this stack has used so far. */
async function units(): Promise<number> {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  const { cosmos } = (await response.json()) as { cosmos: Record<string, { units: number }> };
  return Object.values(cosmos).reduce((sum, cost) => sum + cost.units, 0);
}

/** What each of some runs of a thread costs; streamed, so that no poll costs by time. */
async function costsOfRuns(assistant: object): Promise<number[]> {
  const { id } = await client.beta.assistants.create({ model: "constants", ...assistant });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = await units();
    const stream = client.beta.threads.runs.stream(thread.id, {
      assistant_id: id,
      truncation_strategy: { type: "last_messages", last_messages: 1 },
    });
    expect(await stream.finalRun()).toMatchObject({ status: "completed", last_error: null });
    costs.push((await units()) - before);
  }
  return costs;
}

const mean = (costs: number[]) => costs.reduce((sum, cost) => sum + cost, 0) / costs.length;

test("32 KB of instructions and tools cost a thread's first run what they weigh, and the others nearly nothing", async () => {
  const parameters = { type: "object", description: "p".repeat(LARGE / 2) };
  const large = {
    instructions: "i".repeat(LARGE / 2),
    tools: [{ type: "function" as const, function: { name: "f", parameters } }],
  };
  const [firstOfNone = 0, ...none] = await costsOfRuns({});
  const [first = 0, ...later] = await costsOfRuns(large);
  console.log("request units with nothing", firstOfNone, none, "with 32 KB", first, later);
  expect(first - firstOfNone).toBeGreaterThan(10);
  expect(mean(later) / mean(none)).toBeLessThan(MOST);
}, 60_000);
