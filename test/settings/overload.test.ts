/** Who comes to an instance that holds all it may hold is told so at once, and nothing of what was asked is done. */
import { CosmosClient } from "@azure/cosmos";
import OpenAI, { RateLimitError } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { putFaults } from "../faults/inject.ts";
import { stopSound } from "../lib/sound-store.ts";

const TENANT = "overload";
const MAX_REQUESTS = 4;
const MAX_STREAMS = 2;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({
    env: {
      API_KEYS: `${TENANT}:a-key-of-this-test`,
      MAX_REQUESTS: String(MAX_REQUESTS),
      MAX_STREAMS: String(MAX_STREAMS),
      MAX_OVERDUE_RUNS: "0",
      SHOW_COSTS: "true",
      // Runs that are overdue here stay so.
      "AzureWebJobs.sweep.Disabled": "true",
    },
  });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(() => stopSound(stack));

async function newThread(): Promise<string> {
  return (await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] })).id;
}

async function refusal(call: Promise<unknown>): Promise<RateLimitError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RateLimitError)) throw new Error(`not refused with 429, but: ${error}`);
  return error;
}

const held = async () => {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  return ((await response.json()) as { holds: { requests: number; streams: number; refused: number; runs: number } })
    .holds;
};

test("a stream too many is refused, leaves its thread as it was, and may come again later", async () => {
  await controlModel(stack.model.baseUrl).script("slow", [{ text: Array(40).fill("word "), tokenMs: 50 }], {
    repeat: true,
  });
  const { id: assistantId } = await client.beta.assistants.create({ model: "slow" });
  const threads = await Promise.all([newThread(), newThread(), newThread()]);
  const request = { assistant_id: assistantId, stream: true as const };
  const [first = "", second = "", third = ""] = threads;
  const open = await Promise.all([first, second].map((id) => client.beta.threads.runs.create(id, request)));

  const refused = await refusal(client.beta.threads.runs.create(third, request));
  expect(refused.headers?.get("retry-after")).toBe("5");
  expect(refused.headers?.get("retry-after-ms")).toBe("5000");
  expect(refused.error).toEqual({ code: "429", message: "Rate limit is exceeded. Try again in 5 seconds." });
  expect((await client.beta.threads.runs.list(third)).data).toEqual([]);
  await client.beta.threads.messages.create(third, { role: "user", content: "And why?" });
  expect(await held()).toMatchObject({ streams: 2, runs: 2 });

  // A client that leaves does not give its run's place free: the run goes on.
  open[0]?.controller.abort();
  await refusal(client.beta.threads.runs.create(third, request));
  for await (const _event of open[1] ?? []);
  await until(async () => (await held()).streams === 0);
  const stream = await client.beta.threads.runs.create(third, request);
  const names: string[] = [];
  for await (const { event } of stream) names.push(event);
  expect(names.at(-1)).toBe("thread.run.completed");
});

test("requests too many at a time are refused, the others answered, and the next ones too", async () => {
  const slow = [{ fault: "latency", rate: 1, ms: 800, operations: ["query"] }];
  await putFaults(stack.cosmos.endpoint, slow);
  try {
    const statuses = await Promise.all(
      Array.from({ length: 3 * MAX_REQUESTS }, () =>
        client.beta.assistants.list().then(
          () => 200,
          (error: { status: number }) => error.status,
        ),
      ),
    );
    expect(statuses.toSorted()).toEqual([...Array(MAX_REQUESTS).fill(200), ...Array(2 * MAX_REQUESTS).fill(429)]);
  } finally {
    await putFaults(stack.cosmos.endpoint, []);
  }
  await client.beta.assistants.list();
  await until(async () => (await held()).requests === 0);
});

test("while too many runs wait for a worker, no more background runs are taken; streams are", async () => {
  const { id: assistantId } = await client.beta.assistants.create({ model: "any" });
  const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  const waiting = { id: "run_waiting", pk: `${TENANT}:none`, kind: "run", internal: { tenant: TENANT, due: 1 } };
  const container = cosmos.database("threadkeep").container("threads");
  await container.items.create(waiting);
  try {
    const refused = await until(async () => {
      const thread = await newThread();
      const error = await client.beta.threads.runs.create(thread, { assistant_id: assistantId }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      return error instanceof RateLimitError ? { error, thread } : undefined;
    });
    expect(refused.error.headers?.get("retry-after")).toBe("10");
    const stream = client.beta.threads.runs.stream(refused.thread, { assistant_id: assistantId });
    expect((await stream.finalRun()).status).toBe("completed");
    const both = { assistant_id: assistantId, thread: { messages: [{ role: "user" as const, content: "Why?" }] } };
    await refusal(client.beta.threads.createAndRun(both));
  } finally {
    await container.item(waiting.id, waiting.pk).delete();
    cosmos.dispose();
  }
}, 40_000);
