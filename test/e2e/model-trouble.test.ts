/** What a user sees when the model does not do what it should (docs/contract.md 6.4). */
import type OpenAI from "openai";
import { expect, test } from "vitest";
import type { Turn } from "../../local/model/turn.ts";
import { aTime, newTenant, POLL, question } from "./harness.ts";

const NO_USAGE = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const SERVER_ERROR = { code: "server_error", message: "Sorry, something went wrong." };

/** Runs an assistant whose model behaves like that, and shows all that came of it. */
async function outcome(client: OpenAI, turns: Turn[]) {
  const { model, thread, run: request } = await question(client, turns);
  const { runs, messages } = client.beta.threads;
  const run = await runs.createAndPoll(thread.id, request, POLL);
  const [steps, said, requests] = await Promise.all([
    runs.steps.list(run.id, { thread_id: thread.id }),
    messages.list(thread.id, { run_id: run.id }),
    model.requests(),
  ]);
  return { run, steps: steps.data, messages: said.data, attempts: requests.length, model: model.name, thread };
}

const text = (value: string) => [{ type: "text", text: { value, annotations: [] } }];

test("a model that does not exist fails the run with the original's words, and frees the thread", async () => {
  const { openai } = newTenant();

  const { run, steps, messages, attempts, model, thread } = await outcome(openai, [{ status: 404 }]);

  expect(run).toMatchObject({
    status: "failed",
    last_error: { code: "invalid_engine_error", message: `Failed to resolve model info for: ${model}` },
    started_at: aTime,
    failed_at: aTime,
    completed_at: null,
    expires_at: null,
    usage: NO_USAGE,
  });
  expect({ steps, messages, attempts }).toEqual({ steps: [], messages: [], attempts: 1 });
  await openai.beta.threads.messages.create(thread.id, { role: "user", content: "Well?" });
});

test("a request that the model refuses fails the run at once, with the model's own words", async () => {
  const { openai } = newTenant();
  const error = { message: "This model's maximum context length is 8 tokens.", code: "context_length_exceeded" };

  const { run, attempts } = await outcome(openai, [{ status: 400, error }]);

  expect(run).toMatchObject({
    status: "failed",
    last_error: { code: "invalid_prompt", message: "This model's maximum context length is 8 tokens." },
    usage: NO_USAGE,
  });
  expect(attempts).toBe(1);
});

test("a prompt that the content filter refuses fails the run with that code", async () => {
  const error = { message: "The prompt was filtered.", code: "content_filter" };

  const { run } = await outcome(newTenant().openai, [{ status: 400, error }]);

  expect(run).toMatchObject({
    status: "failed",
    last_error: { code: "content_filter", message: "The prompt was filtered." },
  });
});

test("a model that is over its limit twice and then answers completes the run: the user sees only the answer", async () => {
  const busy = { status: 429 as const, retryAfter: 0.2 };

  const { run, steps, messages, attempts } = await outcome(newTenant().openai, [busy, busy, { text: "At last." }]);

  expect(run).toMatchObject({ status: "completed", last_error: null });
  expect(steps).toHaveLength(1);
  expect(messages).toMatchObject([{ status: "completed", content: text("At last.") }]);
  expect(attempts).toBe(3);
});

test("a model that stays over its limit fails the run, and says when to try again", async () => {
  const busy = { status: 429 as const, retryAfter: 0.1 };

  const { run, attempts } = await outcome(newTenant().openai, [busy, busy, busy, busy, { text: "too late" }]);

  expect(run).toMatchObject({
    status: "failed",
    last_error: { code: "rate_limit_exceeded", message: "Rate limit is exceeded. Try again in 1 seconds." },
  });
  expect(attempts).toBe(4);
});

test("a model whose quota is used up fails the run at once, with the model's own words", async () => {
  const error = { message: "You exceeded your current quota.", code: "insufficient_quota" };

  const { run, attempts } = await outcome(newTenant().openai, [{ status: 429, error }]);

  expect(run.last_error).toEqual({ code: "rate_limit_exceeded", message: "You exceeded your current quota." });
  expect(attempts).toBe(1);
});

test("a model that refuses our key fails the run, and tells the user nothing of it", async () => {
  const secret = "Incorrect API key provided: sk-deployer.";

  const result = await outcome(newTenant().openai, [{ status: 401, error: { message: secret } }]);

  expect(result.run).toMatchObject({ status: "failed", last_error: SERVER_ERROR });
  expect(result.attempts).toBe(1);
  expect(JSON.stringify(result)).not.toContain("deployer");
});

test.for([500, 503] as const)("a model that answers %s is asked again", async (status) => {
  const down = { status, retryAfter: 0 };

  const { run, messages, attempts } = await outcome(newTenant().openai, [down, down, { text: "Back." }]);

  expect(run.status).toBe("completed");
  expect(messages).toMatchObject([{ content: text("Back.") }]);
  expect(attempts).toBe(3);
});

test("a model that stays down fails the run, and tells the user nothing of it", async () => {
  const down = { status: 500 as const, retryAfter: 0, error: { message: "stack trace" } };

  const result = await outcome(newTenant().openai, [down, down, down, down]);

  expect(result.run).toMatchObject({ status: "failed", last_error: SERVER_ERROR, usage: NO_USAGE });
  expect(JSON.stringify(result)).not.toContain("stack trace");
});

test("a stream that is cut is asked for again, and leaves one message", async () => {
  const cut = { text: ["The ", "first ", "try."], cutAfter: 2 };

  const { run, steps, messages, attempts } = await outcome(newTenant().openai, [cut, { text: "The second." }]);

  expect(run.status).toBe("completed");
  expect(messages).toMatchObject([{ status: "completed", content: text("The second.") }]);
  expect(steps).toMatchObject([
    { status: "completed", step_details: { message_creation: { message_id: messages[0]?.id } } },
  ]);
  expect(attempts).toBe(2);
});

test("what was saved of a stream that was cut late is overwritten by the next try", async () => {
  const words = Array.from({ length: 20 }, (_, number) => `word${number} `);
  const cut = { text: words, tokenMs: 100, cutAfter: 18 };

  const { run, steps, messages } = await outcome(newTenant().openai, [cut, { text: "Short." }]);

  expect(run.status).toBe("completed");
  expect(steps).toHaveLength(1);
  expect(messages).toMatchObject([{ status: "completed", content: text("Short."), incomplete_at: null }]);
});

test("what was saved of a message vanishes if the next try calls functions instead", async () => {
  const { openai } = newTenant();
  const { runs, messages } = openai.beta.threads;
  const cut = { text: Array.from({ length: 20 }, () => "word "), tokenMs: 100, cutAfter: 18 };
  const { thread, run: request } = await question(openai, [cut, { toolCalls: [{ id: "call_a", name: "weather" }] }]);
  const tools = [{ type: "function" as const, function: { name: "weather" } }];

  const run = await runs.createAndPoll(thread.id, { ...request, tools }, POLL);

  expect(run.status).toBe("requires_action");
  expect((await messages.list(thread.id, { run_id: run.id })).data).toEqual([]);
  const steps = await runs.steps.list(run.id, { thread_id: thread.id });
  expect(steps.data).toMatchObject([{ type: "tool_calls", status: "in_progress" }]);
});

test("what was saved of function calls vanishes if the next try answers instead", async () => {
  const pieces = Array.from({ length: 18 }, (_, number) => `${number === 0 ? "{" : ","}"key${number}": 1`);
  const toolCalls = [{ id: "call_a", name: "weather", arguments: `${pieces.join("")}}`, pieces: [...pieces, "}"] }];

  const { run, steps, messages } = await outcome(newTenant().openai, [
    { toolCalls, tokenMs: 100, cutAfter: 18 },
    { text: "Sunny." },
  ]);

  expect(run).toMatchObject({ status: "completed", required_action: null });
  expect(messages).toMatchObject([{ content: text("Sunny.") }]);
  expect(steps).toMatchObject([{ type: "message_creation", status: "completed" }]);
});

test("when the last try is cut too, what the user had seen stays, marked as incomplete", async () => {
  const down = { status: 500 as const, retryAfter: 0 };
  const cut = { text: ["Once ", "upon ", "a time."], cutAfter: 2 };

  const { run, steps, messages } = await outcome(newTenant().openai, [down, down, down, cut]);

  expect(run).toMatchObject({ status: "failed", last_error: SERVER_ERROR });
  expect(messages).toMatchObject([
    {
      status: "incomplete",
      incomplete_details: { reason: "run_failed" },
      incomplete_at: aTime,
      content: text("Once upon "),
    },
  ]);
  expect(steps).toMatchObject([{ status: "failed", failed_at: aTime, last_error: SERVER_ERROR }]);
});

test("an answer that its token limit cut off ends the run incomplete and keeps the text", async () => {
  const turn = { text: "Once upon", finishReason: "length" as const };

  const { run, steps, messages } = await outcome(newTenant().openai, [turn]);

  expect(run).toMatchObject({
    status: "incomplete",
    incomplete_details: { reason: "max_completion_tokens" },
    completed_at: aTime,
    expires_at: null,
  });
  expect(run.usage?.total_tokens).toBeGreaterThan(0);
  expect(messages).toMatchObject([
    {
      status: "incomplete",
      incomplete_details: { reason: "max_tokens" },
      incomplete_at: aTime,
      completed_at: null,
      content: text("Once upon"),
    },
  ]);
  expect(steps).toMatchObject([{ status: "completed" }]);
});

test("an answer that the content filter cut off fails the run and says so on the message", async () => {
  const turn = { text: "Take the", finishReason: "content_filter" as const };

  const { run, messages } = await outcome(newTenant().openai, [turn]);

  expect(run).toMatchObject({ status: "failed", last_error: { code: "content_filter" } });
  expect(messages).toMatchObject([{ status: "incomplete", incomplete_details: { reason: "content_filter" } }]);
});

test("what a model does not report is counted, for the run and its step", async () => {
  const { run, steps } = await outcome(newTenant().openai, [{ text: "Hi there, friend.", usage: null }]);

  expect(run.status).toBe("completed");
  const { prompt_tokens: prompt = 0, completion_tokens: completion = 0, total_tokens: total } = run.usage ?? {};
  // "Why?" and what a message costs; a word or a sign of the answer is a token.
  expect(prompt).toBeGreaterThanOrEqual(2);
  expect(completion).toBe(5);
  expect(total).toBe(prompt + completion);
  expect(steps).toMatchObject([{ usage: run.usage }]);
});

test("a model that says nothing at all still makes a message", async () => {
  const { run, messages } = await outcome(newTenant().openai, [{}]);

  expect(run.status).toBe("completed");
  expect(messages).toMatchObject([{ status: "completed", content: text("") }]);
});
