/**
 * The gateway of Cosmos DB hangs, and the app is set up as in Azure: https, endpoint discovery (with which the SDK repeats a
 * read that hangs 120 times), three physical partitions. An account with Session consistency, as new ones have.
 * `HANG_SECONDS=60` makes it hang for a minute.
 */
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { POLL, until } from "../e2e/harness.ts";
import { trust } from "../lib/trust.ts";
import { putFaults } from "./inject.ts";

/** Longer than a lease. Milliseconds. */
const HANG = Number(process.env.HANG_SECONDS ?? 25) * 1_000;
/** Seconds: the lease of the usual settings is 20. */
const LEASE = 8;
/** What docs/operations.md promises. Milliseconds. */
const LONGEST_REQUEST = 15_000;
const LONGEST_HEALTH = 3_000;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({
    https: true,
    cosmosArgs: ["--partitions", "3", "--consistency", "session"],
    env: { RUN_LEASE: String(LEASE) },
    moreHosts: [{ name: "second", env: {} }],
  });
  trust(stack.cosmos.certificate);
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(() => stack?.stop());

/** How long a call takes, whatever comes of it; and its status. */
async function timed(call: Promise<unknown>): Promise<{ status: number; milliseconds: number }> {
  const began = performance.now();
  const status = await call.then(
    () => 200,
    (error: unknown) => (error instanceof APIError ? Number(error.status) : 0),
  );
  return { status, milliseconds: performance.now() - began };
}

/** A run that is being driven: its model has been asked, and answers in so many milliseconds. */
async function driven(name: string, firstTokenMs: number) {
  const model = controlModel(stack.model.baseUrl);
  await model.script(name, [{ text: "Well, this is the answer.", firstTokenMs }], { repeat: true });
  const assistant = await client.beta.assistants.create({ model: name });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const run = await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
  const asked = async () => (await model.report(name)).requests.length;
  await until(async () => (await asked()) === 1);
  return { run, assistant, thread, asked };
}

test(
  "no request takes longer than 15 s, /healthz says 503 within 3 s, no run changes its driver, no answer is bought twice",
  async () => {
    // The one ends while the store hangs, the other after it: its lease cannot be renewed meanwhile.
    const [ends, goesOn] = await Promise.all([driven("ends", 5_000), driven("goes-on", HANG + 10_000)]);
    await putFaults(stack.cosmos.endpoint, [{ fault: "hang" }]);
    const over = new Promise((resolve) => setTimeout(resolve, HANG));

    const { thread, assistant } = ends;
    const health = async () => {
      const response = await fetch(new URL("/healthz", stack.baseUrl));
      if (response.status !== 503) throw new Error(`/healthz says ${response.status}`);
    };
    const calls = await Promise.all([
      timed(client.beta.threads.retrieve(thread.id)),
      timed(client.beta.threads.messages.list(thread.id)),
      timed(client.beta.threads.messages.create(thread.id, { role: "user", content: "Hello?" })),
      timed(client.beta.threads.create({ messages: [{ role: "user", content: "Hello?" }] })),
      timed(client.beta.threads.runs.retrieve(ends.run.id, { thread_id: thread.id })),
      timed(client.beta.threads.createAndRun({ assistant_id: assistant.id })),
      timed(client.beta.assistants.list()),
      timed(client.beta.threads.delete(goesOn.thread.id)),
    ]);
    for (const { status, milliseconds } of calls) {
      expect(status).toBeGreaterThanOrEqual(500);
      expect(milliseconds).toBeLessThan(LONGEST_REQUEST);
    }
    const ill = await timed(health());
    expect(ill).toMatchObject({ status: 200 });
    expect(ill.milliseconds).toBeLessThan(LONGEST_HEALTH);

    await over;
    await putFaults(stack.cosmos.endpoint, []);
    for (const { run, asked } of [ends, goesOn]) {
      const poll = () => client.beta.threads.runs.poll(run.id, { thread_id: run.thread_id }, POLL);
      expect(await poll()).toMatchObject({ status: "completed" });
      expect(await asked()).toBe(1);
    }
  },
  95_000 + HANG,
);
