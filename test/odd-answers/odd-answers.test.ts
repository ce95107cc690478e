/** What a client reads of the answers of servers that only nearly speak OpenAI's protocol: streamed and in the background. */
import OpenAI from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { checkStore } from "../../tools/check-store/check-store.ts";
import { buildIfStale } from "../e2e/build.ts";
import { complaint } from "../e2e/oracle.ts";
import { inStore } from "../faults/points/look.ts";
import { StreamReader } from "../unit/runs/stream-reader.ts";
import { CALL_CONTENT_ROWS } from "./call-content-rows.ts";
import { CALL_ROWS } from "./call-rows.ts";
import { ENDING_ROWS } from "./ending-rows.ts";
import { type RawModel, says, startRawModel, textStream } from "./raw-model.ts";
import type { Row } from "./row.ts";
import { TEXT_ROWS } from "./text-rows.ts";

const ROWS = [...TEXT_ROWS, ...CALL_ROWS, ...CALL_CONTENT_ROWS, ...ENDING_ROWS];

let model: RawModel;
let stack: Stack;
let client: OpenAI;
let assistantId: string;

beforeAll(async () => {
  buildIfStale();
  model = await startRawModel();
  stack = await startStack({ env: { MODEL_ENDPOINT: model.endpoint, MODEL_KEY: "any", MODEL_MAX_ATTEMPTS: "2" } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0, fetch: checkedFetch });
  const tools = ["f", "g", "7"].map((name) => ({ type: "function" as const, function: { name } }));
  assistantId = (await client.beta.assistants.create({ model: "of the run", tools })).id;
});

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
});

/** Fails where an answer is not what the contract's schemas allow. */
const checkedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!(response.headers.get("content-type") ?? "").startsWith("application/json")) return response;
  const url = new URL(input instanceof Request ? input.url : input);
  const wrong = complaint(init?.method ?? "GET", url, response.status, await response.clone().json());
  if (wrong !== undefined) throw new Error(wrong);
  return response;
};

test("there are at least 80 rows, each with a name of its own", () => {
  expect(ROWS.length).toBeGreaterThanOrEqual(80);
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
});

test.concurrent.each(ROWS)("$name", async (row) => {
  await Promise.all([checkRow(row, "streamed", streamedRun), checkRow(row, "background", backgroundRun)]);
});

test("the store holds nothing that it should not, after all of them", async () => {
  const options = { tolerance: 30_000, eventsTtl: 86_400, messagesAreDeleted: false };
  const report = await inStore(stack, (threads) => checkStore(threads, options));
  expect(report.violations).toEqual([]);
  expect(report.threads).toBe(2 * ROWS.length);
});

async function checkRow(row: Row, mode: "streamed" | "background", runOf: typeof backgroundRun): Promise<void> {
  const name = `${mode} ${row.name}`;
  const reply = typeof row.sends === "string" ? { body: row.sends } : row.sends;
  model.script(name, row.status === "failed" ? [reply] : [reply, LAST]);
  const run = await runOf(name);

  // A stream whose client has read some of the answer is not begun again.
  const isCut = mode === "streamed" && row.text !== undefined && row.asked !== undefined;
  expect(model.asked(name), mode).toHaveLength(isCut ? 1 : (row.asked ?? 1));
  const status = row.status ?? (row.calls === undefined ? "completed" : "requires_action");
  const error = row.error === undefined ? null : { ...row.error, message: row.error.message.replace("MODEL", name) };
  expect({ mode, status: run.status, error: run.last_error }).toEqual({ mode, status, error });
  expect(await textOf(run), mode).toBe(row.text);
  const found = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  expect(found, mode).toMatchObject((row.calls ?? []).map(asCall));
  expect(new Set(found.map(({ id }) => id)).size, mode).toBe(found.length);
  expectUsage(row, row.calls === undefined ? run : await submitted(run, name));
}

const asCall = ({ id, ...called }: { id?: string; name: string; arguments: string }) => ({
  id: id ?? expect.stringMatching(/^call_[0-9A-Za-z]{24}$/),
  type: "function",
  function: called,
});

/** What a model says once it has the outputs of its calls. */
const LAST = { body: textStream(says("Done.")) };

const question = (model: string) => ({
  assistant_id: assistantId,
  model,
  thread: { messages: [{ role: "user" as const, content: "Why?" }] },
});

const backgroundRun = (name: string): Promise<Run> =>
  client.beta.threads.createAndRunPoll(question(name), { pollIntervalMs: 150 });

/** Every event is read by a strict reader, and what the events say together is what is stored, in the same order. */
async function streamedRun(name: string): Promise<Run> {
  const stream = await client.beta.threads.createAndRun({ ...question(name), stream: true });
  const reader = new StreamReader();
  let last: Run | undefined;
  const told: { text?: string; calls?: unknown[] } = {};
  const steps: string[] = [];
  for await (const { event, data } of stream) {
    if (event === "error") throw new Error(`the stream ends with an error: ${JSON.stringify(data)}`);
    reader.read({ event, data });
    if (event.startsWith("thread.message.")) told.text = reader.textOf((data as { id: string }).id);
    if (event === "thread.run.step.created") steps.push(data.id);
    if (event === "thread.run.step.delta") told.calls = reader.callsOf(data.id);
    if (event.startsWith("thread.run.") && !event.startsWith("thread.run.step.")) last = data as Run;
  }
  if (last === undefined) throw new Error("the stream told of no run");
  expect(told.text).toBe(await textOf(last));
  const listed = await client.beta.threads.runs.steps.list(last.id, { thread_id: last.thread_id, order: "asc" });
  expect(listed.data.map(({ id }) => id)).toEqual(steps);
  const required = last.required_action?.submit_tool_outputs.tool_calls;
  if (required !== undefined) expect(told.calls).toMatchObject(required);
  const stored = await client.beta.threads.runs.retrieve(last.id, { thread_id: last.thread_id });
  expect(stored).toEqual(last);
  return stored;
}

/** Of the run's message; undefined if it has none. */
async function textOf({ thread_id: threadId, id }: Run): Promise<string | undefined> {
  const { data } = await client.beta.threads.messages.list(threadId, { run_id: id });
  expect(data.length).toBeLessThanOrEqual(1);
  return data[0]?.content.map((part) => (part.type === "text" ? part.text.value : "?")).join("");
}

/** The run goes on with outputs, and the model gets back the very calls that the client has got. */
async function submitted(run: Run, name: string): Promise<Run> {
  const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  const outputs = calls.map(({ id }) => ({ tool_call_id: id, output: "ok" }));
  const ended = await client.beta.threads.runs.submitToolOutputsAndPoll(
    run.id,
    { thread_id: run.thread_id, tool_outputs: outputs },
    { pollIntervalMs: 150 },
  );
  expect(ended.status).toBe("completed");
  const asked = model.asked(name);
  expect(asked).toHaveLength(2);
  const messages = asked[1]?.body.messages ?? [];
  expect(messages.filter(({ tool_calls: called }) => called !== undefined)).toMatchObject([{ tool_calls: calls }]);
  expect(messages.slice(-calls.length)).toMatchObject(
    outputs.map(({ tool_call_id, output }) => ({ role: "tool", tool_call_id, content: output })),
  );
  return ended;
}

/** What the server tells, or else our own count: never nothing, or a run's budgets would not hold. */
function expectUsage({ usage, status }: Row, { usage: told }: Run): void {
  if (usage !== undefined) {
    const [prompt_tokens, completion_tokens, total_tokens] = usage;
    expect(told).toEqual({ prompt_tokens, completion_tokens, total_tokens });
  } else if (status !== "failed") {
    expect(told?.prompt_tokens).toBeGreaterThan(0);
    expect(told?.completion_tokens).toBeGreaterThan(0);
    expect(told?.total_tokens).toBe((told?.prompt_tokens ?? 0) + (told?.completion_tokens ?? 0));
  }
}
