/** Servers that are gone for seconds: what clients are told meanwhile, and that every run goes on afterwards. */
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FaultRule } from "../../local/cosmos/faults.ts";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { POLL, until } from "../e2e/harness.ts";
import { putFaults } from "./inject.ts";

/** A wake-up that meets a store in trouble comes back after five seconds: this outage takes two of them. */
const OUTAGE = 8_000;
/** A run whose wake-up was never sent waits for a sweep: it is found at the earliest after this time. */
const WAKE_UP_GRACE = 15_000;

let stack: Stack;
let client: OpenAI;
let assistantId: string;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack();
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  assistantId = (await client.beta.assistants.create({ model: "steady" })).id;
});

afterAll(() => stack?.stop());

const newThread = () => client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
const startRun = async () => client.beta.threads.runs.create((await newThread()).id, { assistant_id: assistantId });
const nextStatus = ({ id, thread_id }: OpenAI.Beta.Threads.Run) =>
  client.beta.threads.runs.poll(id, { thread_id }, POLL).then(({ status }) => status);

const putStoreFaults = (rules: FaultRule[]) => putFaults(stack.cosmos.endpoint, rules);

/** What the queue has done with its messages so far. */
async function queueTotals(): Promise<Record<string, number>> {
  const response = await fetch(new URL("/_local/queues", stack.serviceBus.controlUrl));
  const { queues } = (await response.json()) as { queues: { name: string; totals: Record<string, number> }[] };
  return queues.find(({ name }) => name === "runs")?.totals ?? {};
}

async function errorOf(call: Promise<unknown>): Promise<APIError> {
  const error: unknown = await call.catch((thrown: unknown) => thrown);
  if (error instanceof APIError) return error;
  throw new Error(`a refusal was expected, not ${error}`);
}

test("while the store is down clients get 5xx, and wake-ups wait without using up their deliveries", {
  timeout: 40_000,
}, async () => {
  const before = await queueTotals();
  // Creating a run takes a batch only; claiming it does not work.
  await putStoreFaults([{ fault: "503", operations: ["patch"] }]);
  const run = await startRun();
  await putStoreFaults([{ fault: "503" }]);
  const back = new Promise((resolve) => setTimeout(resolve, OUTAGE)).then(() => putStoreFaults([]));

  const { status } = await errorOf(client.beta.threads.runs.retrieve(run.id, { thread_id: run.thread_id }));
  expect(status).toBeGreaterThanOrEqual(500);

  await back;
  expect(await nextStatus(run)).toBe("completed");
  const { abandoned = 0, deadLettered = 0, sent = 0 } = await queueTotals();
  expect({ abandoned, deadLettered }).toEqual({ abandoned: before.abandoned, deadLettered: before.deadLettered });
  // The first one, and those that were sent for later.
  expect(sent - (before.sent ?? 0)).toBeGreaterThanOrEqual(2);
});

/** One run whose model says something else each time that it is asked. */
async function beginRun(way: "background" | "streamed") {
  const model = `model-${crypto.randomUUID()}`;
  const control = controlModel(stack.model.baseUrl);
  const turns = [1, 2, 3, 4].map((number) => ({ text: `Answer number ${number}.`, firstTokenMs: 1_500 }));
  await control.script(model, turns);
  const { id: assistant_id } = await client.beta.assistants.create({ model });
  const { id } = await newThread();
  const { runs } = client.beta.threads;
  const heard: string[] = [];
  const listening =
    way === "background"
      ? runs.create(id, { assistant_id })
      : runs
          .stream(id, { assistant_id })
          .on("textDelta", ({ value }) => heard.push(value ?? ""))
          .done();
  const listened = Promise.resolve<unknown>(listening).catch((error: Error) =>
    heard.push(`, and then ${error.message}`),
  );
  const modelCalls = async () => (await control.report(model)).requests.length;
  return {
    modelCalls,
    /** What its client has heard, if there was a stream, and what its thread holds. */
    end: async () => {
      await listened;
      const [run] = (await runs.list(id)).data;
      if (run === undefined) throw new Error("there is no run");
      const status = await nextStatus(run);
      const { data } = await client.beta.threads.messages.list(id, { run_id: run.id });
      const stored = data.map(({ content: [part] }) => part?.type === "text" && part.text.value);
      return { status, stored, heard: heard.join(""), modelCalls: await modelCalls() };
    },
  };
}

test.each([
  { what: "throttled", rule: { fault: "429", ms: 20 } as const, milliseconds: 3_000 },
  { what: "away", rule: { fault: "503" } as const, milliseconds: OUTAGE },
])(
  "an answer that is complete while the store is $what is stored as it was heard, and asked for once",
  {
    timeout: 60_000,
  },
  async ({ rule, milliseconds }) => {
    const [background, streamed] = await Promise.all([beginRun("background"), beginRun("streamed")]);
    // The trouble begins when both have asked, and before they are answered.
    await until(async () => (await background.modelCalls()) + (await streamed.modelCalls()) === 2);
    await putStoreFaults([rule]);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await putStoreFaults([]);
    const text = "Answer number 1.";
    const expected = { status: "completed", stored: [text], modelCalls: 1 };
    expect(await background.end()).toEqual({ ...expected, heard: "" });
    expect(await streamed.end()).toEqual({ ...expected, heard: text });
  },
);

test("a store over its throughput makes clients wait: 429 with retry-after", async () => {
  const thread = await newThread();
  await putStoreFaults([{ fault: "429", ms: 1 }]);
  const { status, headers } = await errorOf(client.beta.threads.retrieve(thread.id));
  await putStoreFaults([]);
  expect(status).toBe(429);
  expect(Number(headers?.get("retry-after"))).toBeGreaterThan(0);
});

/** What ends it gives the queue back. */
const QUEUE_TROUBLE: [string, () => Promise<() => Promise<unknown>>][] = [
  [
    "down",
    async () => {
      const { serviceBus } = stack.processes;
      await serviceBus.kill("SIGKILL");
      return () => serviceBus.start();
    },
  ],
  [
    "throttled: its namespace has no credits left",
    async () => {
      const { controlUrl } = stack.serviceBus;
      await putFaults(controlUrl, [{ fault: "server-busy", rate: 1 }]);
      return () => putFaults(controlUrl, []);
    },
  ],
];

test.each(QUEUE_TROUBLE)(
  "while the queue is %s, runs are created and stay queued, and afterwards the sweep wakes them",
  {
    timeout: 60_000,
  },
  async (_, begin) => {
    const end = await begin();
    const created = await Promise.all([startRun(), startRun(), startRun()]);
    expect(created.map(({ status }) => status)).toEqual(["queued", "queued", "queued"]);
    await end();

    const { origin } = new URL(stack.baseUrl);
    const due = Date.now() + WAKE_UP_GRACE;
    await until(async () => {
      // The timer would do it, too, a little later.
      if (Date.now() > due) await fetch(`${origin}/admin/functions/sweep`, { method: "POST" });
      const { data } = await client.beta.threads.runs.list(created[0]?.thread_id ?? "");
      return data[0]?.status !== "queued";
    }, 40_000);
    expect(await Promise.all(created.map(nextStatus))).toEqual(["completed", "completed", "completed"]);
  },
);
