/** How often the model is asked for one run, whatever happens to its drivers and wake-ups; and a cancel beside its end. */
import { ServiceBusClient } from "@azure/service-bus";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FaultRule } from "../../local/cosmos/faults.ts";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { putFaults } from "./inject.ts";

const TENANT = "attempts";
const ENV = { API_KEYS: `${TENANT}:a-key-of-this-test` };

/** A thread with a question, and an assistant whose model has a script of its own. */
async function prepare(stack: Stack, turns: Turn[], repeat = false) {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  const control = controlModel(stack.model.baseUrl);
  const model = `model-${crypto.randomUUID()}`;
  await control.script(model, turns, { repeat });
  const tools = [{ type: "function" as const, function: { name: "lookup" } }];
  const assistant = await client.beta.assistants.create({ model, tools });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const { runs } = client.beta.threads;
  const newest = async () => (await runs.list(thread.id)).data[0];
  return {
    threadId: thread.id,
    create: () => runs.create(thread.id, { assistant_id: assistant.id }),
    stream: () => runs.stream(thread.id, { assistant_id: assistant.id }),
    cancel: (id: string) => runs.cancel(id, { thread_id: thread.id }),
    newest,
    /** milliseconds since 1970 */
    calls: async () => (await control.report(model)).requests.map(({ time }) => Date.parse(time)),
    ended: (patience: number) =>
      until(async () => {
        const run = await newest();
        return run?.expires_at === null && run;
      }, patience),
  };
}

describe.concurrent("a run that takes its process down", () => {
  const ATTEMPTS = 3;
  let stack: Stack;
  beforeAll(async () => {
    buildIfStale();
    const env = { ...ENV, RUN_LEASE: "1", MODEL_MAX_ATTEMPTS: String(ATTEMPTS) };
    stack = await startStack({ env, lockDuration: 2 });
  });
  afterAll(() => stack?.stop());

  test("fails after as many attempts as the model is asked at the most", { timeout: 90_000 }, async () => {
    const { functions } = stack.processes;
    const slow: Turn = { text: Array.from({ length: 300 }, () => "word "), tokenMs: 100 };
    const run = await prepare(stack, [slow], true);
    await run.create();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      await until(async () => (await run.calls()).length >= attempt, 40_000);
      await functions.kill("SIGKILL");
      await functions.start();
    }
    expect(await run.ended(40_000)).toMatchObject({ status: "failed", last_error: { code: "server_error" } });
    expect(await run.calls()).toHaveLength(ATTEMPTS);
  });
});

describe.concurrent("a run", () => {
  let stack: Stack;
  beforeAll(async () => {
    buildIfStale();
    stack = await startStack({ env: ENV });
  });
  afterAll(() => stack?.stop());

  test("waits as long as its model asks for, however many wake-ups come meanwhile", {
    timeout: 40_000,
    concurrent: false,
  }, async () => {
    /** Seconds. */
    const retryAfter = 5;
    const run = await prepare(stack, [{ status: 429, retryAfter }, { text: "Because." }]);
    const { id } = await run.create();
    await until(async () => (await run.calls()).length === 1);
    const queue = new ServiceBusClient(stack.serviceBus.connectionString);
    const sender = queue.createSender("runs");
    for (let number = 0; number < 4; number++) {
      const body = { tenant: TENANT, thread: run.threadId, run: id };
      await sender.sendMessages({ body, contentType: "application/json", messageId: `${id}/extra/${number}` });
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await queue.close();
    expect(await run.ended(20_000)).toMatchObject({ status: "completed" });
    const [first = 0, second = 0, ...more] = await run.calls();
    // Instances may look a second early: their clocks differ.
    expect(second - first).toBeGreaterThan(retryAfter * 1000 - 1_500);
    expect(more).toEqual([]);
  });

  test("that is cancelled while its model ends is cancelled at once, and its stream says so", {
    timeout: 40_000,
    concurrent: false,
  }, async () => {
    /** The driver looks at its run a second after it has asked: that look is under way when the model ends. */
    const SLOW_LOOK = 2_000;
    const text: Turn = { text: "Because.", firstTokenMs: 2_000 };
    const call: Turn = { toolCalls: [{ name: "lookup", arguments: {} }], firstTokenMs: 2_000 };
    const [textInBackground, callInBackground, textStreamed, callStreamed] = await Promise.all([
      prepare(stack, [text]),
      prepare(stack, [call]),
      prepare(stack, [text]),
      prepare(stack, [call]),
    ]);
    const streamed = [textStreamed, callStreamed];
    const runs = [textInBackground, callInBackground, ...streamed];
    await Promise.all([textInBackground.create(), callInBackground.create()]);
    const endings = streamed.map(async (run) => {
      const events: string[] = [];
      await run
        .stream()
        .on("event", ({ event }) => events.push(event))
        .done();
      return events.filter((event) => /^thread\.run\.[a-z]+$/.test(event)).at(-1);
    });
    const ids = await Promise.all(
      runs.map((run) => until(async () => (await run.calls()).length === 1 && (await run.newest())?.id)),
    );
    await Promise.all(runs.map((run, index) => run.cancel(ids[index] ?? "")));
    const slow = ids.map(
      (id): FaultRule => ({ fault: "latency", operations: ["read"], containing: [id], ms: SLOW_LOOK }),
    );
    await putFaults(stack.cosmos.endpoint, slow);
    try {
      expect(await Promise.all(endings)).toEqual(["thread.run.cancelled", "thread.run.cancelled"]);
      // Much less than the lease (20 s): no other driver has taken it over for that.
      const ended = await Promise.all(runs.map((run) => run.ended(12_000)));
      expect(ended.map(({ status }) => status)).toEqual(runs.map(() => "cancelled"));
      for (const run of runs) expect(await run.calls()).toHaveLength(1);
    } finally {
      await putFaults(stack.cosmos.endpoint, []);
    }
  });
});
