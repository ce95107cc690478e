/** What a call costs must not grow with the length of the thread: measured by the charges that the store itself tells. */
import { CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { App } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { storeThread } from "../../src/threads/create.ts";
import { draftThread } from "../../src/threads/draft.ts";
import { silentLog } from "../unit/silent-log.ts";

const SHORT = 100;
const LONG = 10_000;
const TENANT = "growth";

let stack: Stack;
let client: OpenAI;
let assistantId: string;
let app: App;

beforeAll(async () => {
  stack = await startStack({ env: { SHOW_COSTS: "true", API_KEYS: `${TENANT}:a-key-of-this-test` } });
  app = new App(
    readConfig({
      COSMOS_ENDPOINT: stack.cosmos.endpoint,
      COSMOS_KEY: stack.cosmos.key,
      ServiceBusConnection: stack.serviceBus.connectionString,
      MODEL_ENDPOINT: stack.model.baseUrl,
    }),
    silentLog,
  );
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  assistantId = (await client.beta.assistants.create({ model: "growth", instructions: "Answer." })).id;
});

afterAll(async () => {
  await app?.close();
  await stack?.stop();
});

/** Request units that this stack has used so far. */
async function units(): Promise<number> {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  const { cosmos } = (await response.json()) as { cosmos: Record<string, { units: number }> };
  return Object.values(cosmos).reduce((sum, cost) => sum + cost.units, 0);
}

/** The least of a few times: what else the app does at the moment, as the sweep, can only add to it. */
async function costOf(work: () => Promise<unknown>): Promise<number> {
  const costs: number[] = [];
  for (let time = 0; time < 3; time++) {
    const before = await units();
    await work();
    costs.push((await units()) - before);
  }
  return Math.min(...costs);
}

/** Written by the app's own code, but not over HTTP: a request creates 500 messages at most. */
async function threadOf(length: number): Promise<string> {
  const messages = Array.from({ length }, (_, index) => ({
    role: "user" as const,
    content: `This is message number ${String(index).padStart(6, "0")} of a long conversation.`,
  }));
  const { thread, messages: docs } = await draftThread(TENANT, { messages }, Date.now());
  await storeThread(app.store, TENANT, thread, docs, app.now);
  return thread.id;
}

async function costsOn(threadId: string) {
  const list = await costOf(() => client.beta.threads.messages.list(threadId, { limit: 20 }));
  const create = await costOf(() =>
    client.beta.threads.messages.create(threadId, { role: "user", content: "And now?" }),
  );
  const run = await costOf(async () => {
    // Streamed: its end is known without polling, which would cost by time.
    const stream = client.beta.threads.runs.stream(threadId, {
      assistant_id: assistantId,
      truncation_strategy: { type: "last_messages", last_messages: 20 },
    });
    expect(await stream.finalRun()).toMatchObject({ status: "completed", last_error: null });
  });
  return { list, create, run };
}

test("listing, adding a message and running cost the same in a thread of 10,000 messages as in one of 100", async () => {
  const short = await costsOn(await threadOf(SHORT));
  const long = await costsOn(await threadOf(LONG));
  console.log("request units at 100 messages", short, "at 10,000", long);
  for (const call of ["list", "create", "run"] as const) {
    expect(long[call], call).toBeGreaterThan(short[call] * 0.8);
    expect(long[call], call).toBeLessThan(short[call] * 1.2);
  }
}, 60_000);

test("a thread of 10,000 messages is deleted with everything in it", async () => {
  const threadId = await threadOf(LONG);
  expect(await countDocuments(threadId)).toBe(LONG + 1);
  await client.beta.threads.delete(threadId);
  await expect(client.beta.threads.retrieve(threadId)).rejects.toThrow(`No thread found with id '${threadId}'.`);
  await expect(client.beta.threads.messages.list(threadId)).rejects.toThrow("No thread found");
  // Its purge takes twenty slices, with a pause of a second between two of them.
  await expect.poll(() => countDocuments(threadId), { timeout: 90_000, interval: 500 }).toBe(0);
}, 120_000);

async function countDocuments(threadId: string): Promise<number> {
  const cosmos = new CosmosClient({
    ...stack.cosmos,
    connectionPolicy: { enableEndpointDiscovery: false },
  });
  const partitionKey = `${TENANT}:${threadId}`;
  const { resources } = await cosmos
    .database("threadkeep")
    .container("threads")
    .items.query<number>("SELECT VALUE COUNT(1) FROM c", { partitionKey })
    .fetchAll();
  cosmos.dispose();
  return resources[0] ?? 0;
}
