/**
 * Instances that are told to stop hand their runs back: with the usual lease and lock, no run waits for their ends.
 * Each test stops an instance of its own two.
 */
import { CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Child } from "../../local/child.ts";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";

const TENANT = "shutdown";

/** Seconds that an instance may finish what it does. */
const GRACE = 1;

/** Much less than the lease (20 s) and the queue's lock (30 s). Milliseconds. */
const SOON = 6_000;

const SLOW: Turn = { text: Array.from({ length: 300 }, (_, number) => `word${number} `), tokenMs: 100 };

let stack: Stack;
let instances: Child[];

beforeEach(async () => {
  buildIfStale();
  const env = { API_KEYS: `${TENANT}:a-key-of-this-test` };
  stack = await startStack({ env, graceSeconds: GRACE, moreHosts: [{ name: "second", env: {} }] });
  instances = [stack.processes.functions, ...stack.processes.moreHosts];
});

afterEach(() => stack?.stop());

const clientOf = ({ ports }: Child) =>
  new OpenAI({ baseURL: `http://127.0.0.1:${ports.port}/v1`, apiKey: stack.apiKey, maxRetries: 0 });

async function prepare(client: OpenAI, turns: Turn[]) {
  const model = `model-${crypto.randomUUID()}`;
  const control = controlModel(stack.model.baseUrl);
  await control.script(model, turns);
  const assistant = await client.beta.assistants.create({ model });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  return {
    thread,
    assistant,
    requests: async () => (await control.report(model)).requests.length,
  };
}

/** The process id in the lease of the thread's run. */
async function ownerOf(threadId: string, runId: string): Promise<number> {
  const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  try {
    const item = cosmos.database("threadkeep").container("threads").item(runId, `${TENANT}:${threadId}`);
    const { resource } = await item.read<{ internal: { lease: { owner: string } } }>();
    return Number(resource?.internal.lease.owner.split("/")[1]);
  } finally {
    cosmos.dispose();
  }
}

async function expectOneAnswer(client: OpenAI, threadId: string, runId: string, text: string): Promise<void> {
  const run = await client.beta.threads.runs.retrieve(runId, { thread_id: threadId });
  expect(run).toMatchObject({ status: "completed", last_error: null });
  const { data } = await client.beta.threads.messages.list(threadId, { run_id: runId });
  expect(data).toMatchObject([{ status: "completed", content: [{ text: { value: text } }] }]);
  await client.beta.threads.messages.create(threadId, { role: "user", content: "Thanks." });
}

test("a background run goes on at once elsewhere when its worker is stopped", async () => {
  const [first] = instances;
  if (first === undefined) throw new Error("no instance");
  const { thread, assistant, requests } = await prepare(clientOf(first), [SLOW, { text: "Because." }]);
  const run = await clientOf(first).beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
  await until(async () => (await requests()) === 1);

  const pid = await ownerOf(thread.id, run.id);
  const owner = instances.find((each) => each.pid === pid);
  const other = instances.find((each) => each.pid !== pid);
  if (owner === undefined || other === undefined) throw new Error(`no instance has the process id ${pid}`);
  await owner.kill("SIGTERM");

  const client = clientOf(other);
  const ended = async () =>
    (await client.beta.threads.runs.retrieve(run.id, { thread_id: thread.id })).expires_at === null;
  await until(ended, SOON);
  expect(await requests()).toBe(2);
  await expectOneAnswer(client, thread.id, run.id, "Because.");
});

test("a stream says so when its instance is stopped, and its run goes on at once elsewhere", async () => {
  const [first, second] = instances;
  if (first === undefined || second === undefined) throw new Error("no instances");
  const { thread, assistant, requests } = await prepare(clientOf(first), [SLOW, { text: "Because." }]);
  const names: string[] = [];
  let runId = "";
  const stream = await clientOf(first).beta.threads.runs.create(thread.id, {
    assistant_id: assistant.id,
    stream: true,
  });
  let stopping: Promise<unknown> | undefined;
  const reading = (async () => {
    for await (const event of stream) {
      names.push(event.event);
      if (event.event === "thread.run.created") runId = event.data.id;
      if (event.event === "thread.message.delta") stopping ??= first.kill("SIGTERM");
    }
  })();

  await expect(reading).rejects.toThrow("This stream ends early");
  expect(names).not.toContain("thread.run.completed");
  await stopping;
  const client = clientOf(second);
  const ended = async () =>
    (await client.beta.threads.runs.retrieve(runId, { thread_id: thread.id })).expires_at === null;
  await until(ended, SOON);
  expect(await requests()).toBe(2);
  await expectOneAnswer(client, thread.id, runId, "Because.");
});
