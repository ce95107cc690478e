/** Trouble with the store and the queue: what the client sees is runs that end, once. */
import { CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inLanes } from "../../bench/lib/lanes.ts";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { putFaults } from "./inject.ts";

const TENANT = "trouble";
const RUNS = 60;
const CONCURRENCY = 12;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  stack = await startStack({ env: { API_KEYS: `${TENANT}:a-key-of-this-test`, RUN_LEASE: "5" } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 3 });
});

afterAll(() => stack?.stop());

test("broken connections, lost answers, 503 and 429 of the store: every run completes, with one answer and one model call", async () => {
  const assistant = await client.beta.assistants.create({ model: "steady", instructions: "Answer." });
  const control = controlModel(stack.model.baseUrl);
  const results: { status: string; roles: string[]; modelCalls: number }[] = [];
  const documents = ["create", "replace", "patch", "batch", "query", "read", "delete", "upsert"];
  await putFaults(stack.cosmos.endpoint, [
    { fault: "cut-before", rate: 0.04, operations: documents },
    { fault: "cut-after", rate: 0.04, operations: documents },
    { fault: "503", rate: 0.04, operations: documents },
    { fault: "429", rate: 0.04, operations: documents, ms: 5 },
  ]);
  try {
    await inLanes(RUNS, CONCURRENCY, async (index) => {
      const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Hello?" }] });
      const request = { assistant_id: assistant.id, model: `steady#${index}` };
      const run = await client.beta.threads.runs.createAndPoll(thread.id, request, { pollIntervalMs: 100 });
      const { data } = await client.beta.threads.messages.list(thread.id);
      // Only a free thread takes another message.
      await client.beta.threads.messages.create(thread.id, { role: "user", content: "Thanks." });
      const modelCalls = (await control.report(run.model)).requests.length;
      results.push({ status: run.status, roles: data.map(({ role }) => role), modelCalls });
    });
  } finally {
    await putFaults(stack.cosmos.endpoint, []);
  }
  expect(results).toHaveLength(RUNS);
  for (const result of results) {
    expect(result).toEqual({ status: "completed", roles: ["assistant", "user"], modelCalls: 1 });
  }
}, 90_000);

test("a run whose wake-up fails every time is failed, and its thread is free", async () => {
  // The wake-up comes late enough to break the run's document before.
  await putFaults(stack.serviceBus.controlUrl, [{ fault: "delay", rate: 1, ms: 1_500, times: 1 }]);
  const assistant = await client.beta.assistants.create({ model: "poison", instructions: "Answer." });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Hello?" }] });
  const run = await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
  const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  await cosmos
    .database("threadkeep")
    .container("threads")
    .item(run.id, `${TENANT}:${thread.id}`)
    .patch([{ op: "set", path: "/truncation_strategy", value: null }]);
  cosmos.dispose();

  const ended = await client.beta.threads.runs.poll(run.id, { thread_id: thread.id }, { pollIntervalMs: 100 });
  expect(ended).toMatchObject({
    status: "failed",
    last_error: { code: "server_error", message: "Sorry, something went wrong." },
  });
  await client.beta.threads.messages.create(thread.id, { role: "user", content: "Again?" });
}, 60_000);

test("wake-ups that are doubled and delayed at random: every run completes once, with one model call", async () => {
  await controlModel(stack.model.baseUrl).script("jumble", [{ text: "Here.", firstTokenMs: 50 }], { repeat: true });
  const assistant = await client.beta.assistants.create({ model: "jumble" });
  await putFaults(stack.serviceBus.controlUrl, [
    { fault: "double", rate: 0.3 },
    { fault: "delay", rate: 0.2, ms: 800 },
  ]);
  const endings: unknown[] = [];
  try {
    await inLanes(30, CONCURRENCY, async () => {
      const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Hello?" }] });
      const request = { assistant_id: assistant.id };
      const run = await client.beta.threads.runs.createAndPoll(thread.id, request, { pollIntervalMs: 100 });
      const { data } = await client.beta.threads.messages.list(thread.id);
      endings.push([run.status, data.length]);
    });
  } finally {
    await putFaults(stack.serviceBus.controlUrl, []);
  }
  expect(endings).toEqual(Array(30).fill(["completed", 2]));
  const { requests } = await controlModel(stack.model.baseUrl).report("jumble");
  expect(requests.length).toBe(30);
}, 60_000);
