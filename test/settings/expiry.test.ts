/** What only shows with other settings than the usual ones: a stack of its own. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { stopSound } from "../lib/sound-store.ts";

/** Seconds. */
const LIFETIME = 3;

const WEATHER = { type: "function" as const, function: { name: "get_weather" } };

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  stack = await startStack({ env: { RUN_LIFETIME: String(LIFETIME), MODEL_NAMES: "gpt-3.5-turbo=modern-model" } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(() => stopSound(stack));

async function scripted(name: string, turns: object[]) {
  await controlModel(stack.model.baseUrl).script(name, turns);
  const [assistant, thread] = await Promise.all([
    client.beta.assistants.create({ model: name, tools: [WEATHER] }),
    client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] }),
  ]);
  return { threadId: thread.id, run: { assistant_id: assistant.id } };
}

const untilExpiry = (run: { created_at: number }) =>
  new Promise((resolve) => setTimeout(resolve, (run.created_at + LIFETIME) * 1000 - Date.now() + 50));

test("a run that waits for outputs shows as expired as soon as its time is over, and frees its thread", async () => {
  const { threadId, run } = await scripted("paused", [{ toolCalls: [{ name: "get_weather", arguments: {} }] }]);
  const paused = await client.beta.threads.runs.createAndPoll(threadId, run, { pollIntervalMs: 50 });
  expect(paused.status).toBe("requires_action");
  await untilExpiry(paused);

  const expired = await client.beta.threads.runs.retrieve(paused.id, { thread_id: threadId });
  expect(expired).toMatchObject({ status: "expired", expires_at: null, required_action: null, last_error: null });
  expect(expired.usage?.total_tokens).toBeGreaterThan(0);
  const steps = await client.beta.threads.runs.steps.list(paused.id, { thread_id: threadId });
  expect(steps.data).toMatchObject([{ status: "expired", step_details: { type: "tool_calls" } }]);
  await client.beta.threads.messages.create(threadId, { role: "user", content: "Never mind." });
});

test("a thread whose run has expired takes the next run, also if no process has looked in between", async () => {
  const { threadId, run } = await scripted("forgotten", [
    { toolCalls: [{ name: "get_weather", arguments: {} }] },
    { text: "Here I am." },
  ]);
  const paused = await client.beta.threads.runs.createAndPoll(threadId, run, { pollIntervalMs: 50 });
  await untilExpiry(paused);
  const next = await client.beta.threads.runs.createAndPoll(threadId, run, { pollIntervalMs: 50 });
  expect(next.status).toBe("completed");
});

test("outputs that come too late are refused in the words of the original", async () => {
  const { threadId, run } = await scripted("late", [
    { toolCalls: [{ id: "call_late", name: "get_weather", arguments: {} }] },
  ]);
  const paused = await client.beta.threads.runs.createAndPoll(threadId, run, { pollIntervalMs: 50 });
  await untilExpiry(paused);
  const outputs = { thread_id: threadId, tool_outputs: [{ tool_call_id: "call_late", output: "" }] };
  await expect(client.beta.threads.runs.submitToolOutputs(paused.id, outputs)).rejects.toThrow(
    'Runs in status "expired" do not accept tool outputs.',
  );
});

test("a stream whose run expires tells it: message, step, run, done", async () => {
  const { threadId, run } = await scripted("endless", [{ text: Array(200).fill("and on "), tokenMs: 100 }]);
  const names: string[] = [];
  const stream = client.beta.threads.runs.stream(threadId, run);
  stream.on("event", ({ event }) => names.push(event));
  expect((await stream.finalRun()).status).toBe("expired");
  expect(names.slice(-3)).toEqual(["thread.message.incomplete", "thread.run.step.expired", "thread.run.expired"]);
  const { data } = await client.beta.threads.messages.list(threadId, { limit: 1 });
  expect(data[0]).toMatchObject({ status: "incomplete", incomplete_details: { reason: "run_expired" } });
});

test("an old model name is served by the model that the settings put in its place, and still shown", async () => {
  const { threadId, run } = await scripted("gpt-3.5-turbo", []);
  await controlModel(stack.model.baseUrl).script("modern-model", [{ text: "I am the new one." }]);
  const ended = await client.beta.threads.runs.createAndPoll(threadId, run, { pollIntervalMs: 50 });
  expect(ended).toMatchObject({ status: "completed", model: "gpt-3.5-turbo" });
  const { data } = await client.beta.threads.messages.list(threadId, { limit: 1 });
  expect(data[0]?.content).toMatchObject([{ text: { value: "I am the new one." } }]);
});
