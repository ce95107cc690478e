/**
 * Version 4 of the library, which most code of the Assistants API was written with: other parameters, other requests.
 */
import OpenAI, {
  APIUserAbortError,
  AuthenticationError,
  AzureOpenAI,
  BadRequestError,
  NotFoundError,
  toFile,
} from "openai-4";
import type { AssistantStream } from "openai-4/lib/AssistantStream";
import { expect, inject, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { API_VERSION, all, anId, model, newTenant, POLL, until } from "../harness.ts";
import { codeStories } from "./openai-code.ts";
import { ENDLESS, type Form, OUTPUTS, TWO_CALLS, thrown, WEATHER } from "./openai-library.ts";

const { origin } = inject("stack");
const { key } = newTenant();

/** Clients without a `fetch` of ours: this version brings its own. */
const connect = (form: string, apiKey: string): OpenAI =>
  form === "OpenAI"
    ? new OpenAI({ apiKey, maxRetries: 0, baseURL: `${origin}/v1` })
    : new AzureOpenAI({ apiKey, maxRetries: 0, endpoint: origin, apiVersion: API_VERSION });

const FORMS = ["OpenAI", "AzureOpenAI"].map((form) => ({ form, client: connect(form, key) }));

/** A thread with a question, and the body of a run whose model will take these turns. */
async function conversation({ beta }: OpenAI, turns: Turn[], tools: OpenAI.Beta.FunctionTool[] = []) {
  const answering = model();
  await answering.script(turns);
  const assistant = await beta.assistants.create({ model: answering.name, instructions: "Help.", tools });
  const thread = await beta.threads.create({ messages: [{ role: "user", content: "How warm is it?" }] });
  return { threadId: thread.id, model: answering, run: { assistant_id: assistant.id } };
}

const textOf = ({ content }: OpenAI.Beta.Threads.Message) =>
  content.map((part) => (part.type === "text" ? part.text.value : `[${part.type}]`)).join("");

test.for(FORMS)("$form: assistants are kept", async ({ client }) => {
  const { assistants } = client.beta;

  const created = await assistants.create({ model: "m", name: "Ada", tools: [WEATHER] });
  const modified = await assistants.update(created.id, { name: "Bea" });
  const listed = await assistants.list({ limit: 100 });
  const deleted = await assistants.del(created.id);

  expect(created).toMatchObject({ id: anId("asst"), name: "Ada", tools: [WEATHER] });
  expect(modified).toEqual({ ...created, name: "Bea" });
  expect(listed.data).toContainEqual(modified);
  expect(deleted).toEqual({ id: created.id, object: "assistant.deleted", deleted: true });
  await expect(assistants.retrieve(created.id)).rejects.toBeInstanceOf(NotFoundError);
});

test.for(FORMS)("$form: threads and messages are kept", async ({ client }) => {
  const { threads } = client.beta;

  const thread = await threads.create();
  const modified = await threads.update(thread.id, { metadata: { user: "2" } });
  const message = await threads.messages.create(thread.id, { role: "user", content: "Hello" });
  const noted = await threads.messages.update(thread.id, message.id, { metadata: { n: "1" } });

  expect(await threads.retrieve(thread.id)).toEqual({ ...thread, metadata: { user: "2" } });
  expect(modified.metadata).toEqual({ user: "2" });
  expect(await threads.messages.retrieve(thread.id, message.id)).toEqual(noted);
  expect(noted).toEqual({ ...message, metadata: { n: "1" } });
  expect((await threads.messages.list(thread.id)).data).toEqual([noted]);
  expect(await threads.messages.del(thread.id, message.id)).toMatchObject({ id: message.id, deleted: true });
  expect(await threads.del(thread.id)).toEqual({ id: thread.id, object: "thread.deleted", deleted: true });
  await expect(threads.retrieve(thread.id)).rejects.toBeInstanceOf(NotFoundError);
});

test.for(FORMS)("$form: a list longer than a page pages by itself, or page by page", async ({ client }) => {
  const { threads } = client.beta;
  const said = ["one", "two", "three"];
  const thread = await threads.create({ messages: said.map((content) => ({ role: "user", content })) });

  const everything = await all(threads.messages.list(thread.id, { order: "asc", limit: 2 }));
  const first = await threads.messages.list(thread.id, { order: "desc", limit: 2 });
  const second = await first.getNextPage();

  expect(everything.map(textOf)).toEqual(said);
  expect([first.hasNextPage(), second.hasNextPage()]).toEqual([true, false]);
  expect([...first.data, ...second.data].map(textOf)).toEqual(said.toReversed());
});

test.for(FORMS)(
  "$form: errors are of their classes, with message, code, param and request id",
  async ({ client, form }) => {
    const { threads, assistants } = client.beta;
    const stranger = connect(form, "sk-a-key-without-a-tenant");

    const missing = await thrown(threads.retrieve("thread_gone"));
    const wrong = await thrown(assistants.create({ model: "m", temperature: 3 }));
    const refused = await thrown(stranger.beta.assistants.list());

    expect(missing).toBeInstanceOf(NotFoundError);
    expect(missing).toMatchObject({ status: 404, message: "404 No thread found with id 'thread_gone'.", code: null });
    expect(missing).toHaveProperty("request_id", expect.stringMatching(/^(req_[0-9a-f]{32}|[0-9a-f-]{36})$/));
    expect(wrong).toBeInstanceOf(BadRequestError);
    expect(wrong).toMatchObject({ status: 400, param: "temperature", code: "decimal_above_max_value" });
    expect(refused).toBeInstanceOf(AuthenticationError);
    expect(refused).toHaveProperty("code", form === "OpenAI" ? "invalid_api_key" : "401");
  },
);

test.for(FORMS)("$form: a run is created, polled, retrieved, listed and modified", async ({ client }) => {
  const { runs, messages } = client.beta.threads;
  const { threadId, run } = await conversation(client, [{ text: "Warm enough." }]);

  const created = await runs.create(threadId, run);
  const polled = await runs.poll(threadId, created.id, POLL);
  const modified = await runs.update(threadId, created.id, { metadata: { n: "2" } });

  expect(created.status).toBe("queued");
  expect(polled.status).toBe("completed");
  expect(modified).toEqual({ ...polled, metadata: { n: "2" } });
  expect(await runs.retrieve(threadId, created.id)).toEqual(modified);
  expect((await runs.list(threadId)).data).toEqual([modified]);
  expect((await messages.list(threadId, { run_id: created.id })).data.map(textOf)).toEqual(["Warm enough."]);
});

test.for(FORMS)("$form: who polls without an interval of his own does not wait five seconds", async ({ client }) => {
  const { threadId, run } = await conversation(client, [{ text: "Warm.", firstTokenMs: 600 }]);
  const started = performance.now();

  const polled = await client.beta.threads.runs.createAndPoll(threadId, run);

  expect(polled.status).toBe("completed");
  expect(performance.now() - started).toBeLessThan(4000);
});

test.for(FORMS)("$form: parallel function calls are answered and polled, their steps read", async ({ client }) => {
  const { runs } = client.beta.threads;
  const { threadId, run } = await conversation(client, [TWO_CALLS, { text: "Lima is warmer." }], [WEATHER]);
  const include = ["step_details.tool_calls[*].file_search.results[*].content" as const];

  const paused = await runs.createAndPoll(threadId, { ...run, include }, POLL);
  const outputs = { tool_outputs: OUTPUTS };
  const done = await runs.submitToolOutputsAndPoll(threadId, paused.id, outputs, POLL);
  const steps = await all(runs.steps.list(threadId, paused.id, { order: "asc", limit: 1, include }));

  const asked = paused.required_action?.submit_tool_outputs.tool_calls.map((call) => call.function.arguments);
  expect(asked).toEqual(['{"city":"Lima"}', '{"city":"Oslo"}']);
  expect(done.status).toBe("completed");
  expect(steps.map(({ type }) => type)).toEqual(["tool_calls", "message_creation"]);
  const calls = [{ function: { output: "22 degrees" } }, { function: { output: "3 degrees" } }];
  expect(steps[0]?.step_details).toMatchObject({ tool_calls: calls });
  expect(await runs.steps.retrieve(threadId, paused.id, steps[0]?.id ?? "", { include })).toEqual(steps[0]);
});

test.for(FORMS)("$form: a run is cancelled while it waits, and while the model answers", async ({ client }) => {
  const { runs } = client.beta.threads;
  const { threadId, run } = await conversation(client, [TWO_CALLS, ENDLESS], [WEATHER]);

  const paused = await runs.createAndPoll(threadId, run, POLL);
  await runs.cancel(threadId, paused.id);
  const first = await runs.poll(threadId, paused.id, POLL);
  const answering = await runs.create(threadId, run);
  await until(async () => (await runs.retrieve(threadId, answering.id)).status === "in_progress");
  await runs.cancel(threadId, answering.id);
  const second = await runs.poll(threadId, answering.id, POLL);

  expect([first.status, second.status]).toEqual(["cancelled", "cancelled"]);
  await expect(runs.cancel(threadId, paused.id)).rejects.toThrow("400 Cannot cancel run with status 'cancelled'.");
});

test.for(FORMS)("$form: a thread is created and run: plainly, polled, streamed", async ({ client }) => {
  const { threads } = client.beta;
  const { run } = await conversation(client, [{ text: "One." }, { text: "Two." }, { text: "Three." }]);
  const request = { ...run, thread: { messages: [{ role: "user" as const, content: "Count!" }] } };

  const created = await threads.createAndRun(request);
  const plain = await threads.runs.poll(created.thread_id, created.id, POLL);
  const polled = await threads.createAndRunPoll(request, POLL);
  const stream = threads.createAndRunStream(request);
  const events: string[] = [];
  stream.on("event", ({ event }) => events.push(event));
  const streamed = await stream.finalRun();

  expect([plain, polled, streamed].map(({ status }) => status)).toEqual(["completed", "completed", "completed"]);
  expect((await stream.finalMessages()).map(textOf)).toEqual(["Three."]);
  expect([events[0], events.at(-1)]).toEqual(["thread.created", "thread.run.completed"]);
});

test.for(FORMS)("$form: every handler of a stream of text is called", async ({ client }) => {
  const { threadId, run } = await conversation(client, [{ text: ["Warm", " enough."] }]);

  const stream = client.beta.threads.runs.stream(threadId, run);
  const calls = handlerCalls(stream);
  const done = await stream.finalRun();

  expect(calls).toEqual([
    "runStepCreated",
    "messageCreated",
    "textCreated",
    "messageDelta Warm",
    "textDelta Warm",
    "messageDelta Warm enough.",
    "textDelta  enough.",
    "textDone Warm enough.",
    "messageDone Warm enough.",
    "runStepDone",
    "end",
  ]);
  expect(done).toEqual(await client.beta.threads.runs.retrieve(threadId, done.id));
  expect((await stream.finalMessages()).map(textOf)).toEqual(["Warm enough."]);
  expect((await stream.finalRunSteps()).map(({ status }) => status)).toEqual(["completed"]);
});

test.for(FORMS)("$form: function calls are streamed, answered, and the answer streamed", async ({ client }) => {
  const { runs } = client.beta.threads;
  const { threadId, run } = await conversation(client, [TWO_CALLS, { text: ["Lima."] }], [WEATHER]);

  const calling = runs.stream(threadId, run);
  const calls = handlerCalls(calling);
  const paused = await calling.finalRun();
  const answering = runs.submitToolOutputsStream(threadId, paused.id, { tool_outputs: OUTPUTS });
  const done = await answering.finalRun();

  expect(paused.status).toBe("requires_action");
  expect(calls.filter((call) => call.startsWith("toolCall"))).toEqual([
    "toolCallCreated call_lima",
    'toolCallDelta {"city":',
    'toolCallDelta "Lima"}',
    'toolCallDone {"city":"Lima"}',
    "toolCallCreated call_oslo",
    'toolCallDelta {"city":',
    'toolCallDelta "Oslo"}',
    'toolCallDone {"city":"Oslo"}',
  ]);
  expect(done).toMatchObject({ id: paused.id, status: "completed" });
  expect((await answering.finalMessages()).map(textOf)).toEqual(["Lima."]);
  expect((await answering.finalRunSteps()).map(({ type }) => type)).toEqual(["tool_calls", "message_creation"]);
});

test.for(FORMS)("$form: a run goes on when the one who streamed it leaves", async ({ client }) => {
  const { runs } = client.beta.threads;
  const { threadId, run } = await conversation(client, [{ text: ["Warm", " enough."], tokenMs: 300 }]);

  const stream = runs.stream(threadId, run);
  stream.once("textDelta", () => stream.abort());
  await expect(stream.done()).rejects.toBeInstanceOf(APIUserAbortError);
  const [left] = (await runs.list(threadId)).data;

  expect((await runs.poll(threadId, left?.id ?? "", POLL)).status).toBe("completed");
});

/** Every call of a handler in one line, in their order. */
function handlerCalls(stream: AssistantStream): string[] {
  const calls: string[] = [];
  const write = (line: string) => calls.push(line);
  const argumentsOf = (call: object) => (call as { function?: { arguments?: string } }).function?.arguments ?? "";
  stream
    .on("textCreated", () => write("textCreated"))
    .on("textDelta", ({ value }) => write(`textDelta ${value}`))
    .on("textDone", ({ value }) => write(`textDone ${value}`))
    .on("toolCallCreated", ({ id }) => write(`toolCallCreated ${id}`))
    .on("toolCallDelta", (delta) => write(`toolCallDelta ${argumentsOf(delta)}`))
    .on("toolCallDone", (call) => write(`toolCallDone ${argumentsOf(call)}`))
    .on("messageCreated", () => write("messageCreated"))
    .on("messageDelta", (_delta, snapshot) => write(`messageDelta ${textOf(snapshot)}`))
    .on("messageDone", (message) => write(`messageDone ${textOf(message)}`))
    .on("runStepCreated", () => write("runStepCreated"))
    .on("runStepDelta", () => write("runStepDelta"))
    .on("runStepDone", () => write("runStepDone"))
    .on("end", () => write("end"));
  return calls;
}

test.for(FORMS)("$form: files and uploads are kept", async ({ client }) => {
  const { files, uploads } = client;
  const file = await files.create({ file: await toFile(Buffer.from("Hello"), "a.txt"), purpose: "assistants" });
  const upload = await uploads.create({ filename: "b.txt", purpose: "assistants", bytes: 1, mime_type: "text/plain" });
  const part = await uploads.parts.create(upload.id, { data: await toFile(Buffer.from("x"), "part") });
  const { file: second } = await uploads.complete(upload.id, { part_ids: [part.id] });

  expect(await files.retrieve(file.id)).toEqual(file);
  expect(await (await files.content(file.id)).text()).toBe("Hello");
  expect((await all(files.list())).map(({ id }) => id)).toEqual(expect.arrayContaining([second?.id, file.id]));
  expect(await files.del(file.id)).toEqual({ id: file.id, object: "file", deleted: true });
  await expect(files.retrieve(file.id)).rejects.toBeInstanceOf(NotFoundError);
});

// The calls of this story are those of later versions, but for their types.
codeStories(
  FORMS.map(({ form, client }) => ({ form, connect: () => client as unknown as ReturnType<Form["connect"]> })),
);
