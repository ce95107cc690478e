/** A run that has said very much when its instance is killed, and then expires: its thread stays usable. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { stopSound } from "../lib/sound-store.ts";

/** Seconds. */
const LIFETIME = 8;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({ env: { RUN_LIFETIME: String(LIFETIME), RUN_LEASE: "2" } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(() => stopSound(stack));

test("a run that has said half a megabyte expires after its instance was killed, and its thread goes on", async () => {
  const { assistants, threads } = client.beta;
  const [first, rest] = ["語".repeat(130_000), Array.from({ length: 1_000 }, () => "x")];
  await controlModel(stack.model.baseUrl).script("talker", [{ text: [first, ...rest], tokenMs: 100 }], {
    repeat: true,
  });
  const instructions = "語".repeat(256_000);
  const assistant = await assistants.create({ model: "talker", instructions });
  const thread = await threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const run = await threads.runs.create(thread.id, { assistant_id: assistant.id });
  const saved = async () => {
    const { data } = await threads.messages.list(thread.id, { limit: 1 });
    const [part] = data[0]?.run_id === run.id ? data[0].content : [];
    return part?.type === "text" ? part.text.value : "";
  };
  await until(async () => (await saved()).length >= first.length);
  await stack.processes.functions.kill("SIGKILL");
  await stack.processes.functions.start();

  const expired = await until(async () => {
    const found = await threads.runs.retrieve(run.id, { thread_id: thread.id });
    return found.status === "expired" && found;
  }, 2_000 * LIFETIME);
  expect(expired).toMatchObject({ instructions, last_error: null });
  const { data } = await threads.messages.list(thread.id, { limit: 1 });
  expect(data[0]).toMatchObject({ status: "incomplete", incomplete_details: { reason: "run_expired" } });
  expect((await saved()).startsWith(first)).toBe(true);
  const steps = await threads.runs.steps.list(run.id, { thread_id: thread.id });
  expect(steps.data).toMatchObject([{ status: "expired" }]);

  await threads.messages.create(thread.id, { role: "user", content: "And now?" });
  await controlModel(stack.model.baseUrl).script("talker", [{ text: "Because." }]);
  const request = {
    assistant_id: assistant.id,
    truncation_strategy: { type: "last_messages" as const, last_messages: 1 },
  };
  const next = await threads.runs.createAndPoll(thread.id, request, { pollIntervalMs: 50 });
  expect(next.status).toBe("completed");
  await threads.delete(thread.id);
}, 60_000);
