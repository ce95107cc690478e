/**
 * The first library that Azure had for assistants. It asks for the first API version, knows no streams, and reads no
 * field that came later; programs that were written with it are answered as all others are.
 */
import {
  AssistantsClient,
  AzureKeyCredential,
  type FunctionToolDefinition,
  type ThreadMessage,
  type ThreadRun,
} from "@azure/openai-assistants";
import { expect, inject, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { anId, model, newTenant, POLL, until } from "../harness.ts";
import { ANSWER, FOODS, FOODS_FILE, MARKER, QUESTION, SEARCHING } from "./cited.ts";
import { ENDLESS, TWO_CALLS } from "./openai-library.ts";

const connect = (key = newTenant().key) =>
  new AssistantsClient(inject("stack").origin, new AzureKeyCredential(key), { allowInsecureConnection: true });

const WEATHER: FunctionToolDefinition = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

async function conversation(client: AssistantsClient, turns: Turn[], tools: FunctionToolDefinition[] = []) {
  const answering = model();
  await answering.script(turns);
  const { id: assistantId } = await client.createAssistant({ model: answering.name, instructions: "Help.", tools });
  const { id: threadId } = await client.createThread({ messages: [{ role: "user", content: "How warm is it?" }] });
  return { assistantId, threadId, model: answering };
}

/** What users of this library write: it has no helper for waiting. */
const settled = (client: AssistantsClient, { threadId, id }: ThreadRun): Promise<ThreadRun> =>
  until(async () => {
    const run = await client.getRun(threadId, id);
    return !["queued", "in_progress", "cancelling"].includes(run.status) && run;
  });

const textOf = ({ content }: ThreadMessage) =>
  content.map((part) => (part.type === "text" ? part.text.value : `[${part.type}]`)).join("");

test("assistants are kept", async () => {
  const client = connect();

  const created = await client.createAssistant({ model: "m", name: "Ada", tools: [WEATHER], metadata: { n: "1" } });
  const retrieved = await client.getAssistant(created.id);
  const modified = await client.updateAssistant(created.id, { name: "Bea" });
  const listed = await client.listAssistants();
  const deleted = await client.deleteAssistant(created.id);

  expect(created).toMatchObject({ id: anId("asst"), name: "Ada", metadata: { n: "1" } });
  expect(created.tools).toMatchObject([WEATHER]);
  expect(retrieved).toEqual(created);
  expect(modified).toEqual({ ...created, name: "Bea" });
  expect(listed.data.map(({ id, name }) => [id, name])).toEqual([[created.id, "Bea"]]);
  expect(deleted).toEqual({ id: created.id, deleted: true });
  await expect(client.getAssistant(created.id)).rejects.toMatchObject({ statusCode: 404 });
});

test("threads and messages are kept", async () => {
  const client = connect();

  const empty = await client.createThread();
  const modified = await client.updateThread(empty.id, { metadata: { user: "2" } });
  const created = await client.createMessage(empty.id, "user", "Hello");
  const noted = await client.updateMessage(empty.id, created.id ?? "", { metadata: { n: "1" } });
  const retrieved = await client.getMessage(empty.id, created.id ?? "");
  const deleted = await client.deleteThread(empty.id);

  expect(modified).toEqual({ ...empty, metadata: { user: "2" } });
  expect(created).toMatchObject({ id: anId("msg"), threadId: empty.id, role: "user" });
  expect(textOf(retrieved)).toBe("Hello");
  expect(retrieved.metadata).toEqual({ n: "1" });
  expect(noted.id).toBe(created.id);
  expect(deleted).toEqual({ id: empty.id, deleted: true });
  await expect(client.getThread(empty.id)).rejects.toMatchObject({ statusCode: 404 });
});

test("a list is read page by page", async () => {
  const client = connect();
  const said = ["one", "two", "three"].map((content) => ({ role: "user", content }));
  const { id } = await client.createThread({ messages: said });

  const first = await client.listMessages(id, { order: "asc", limit: 2 });
  const second = await client.listMessages(id, { order: "asc", limit: 2, after: first.lastId });

  expect([...first.data, ...second.data].map(textOf)).toEqual(["one", "two", "three"]);
  expect([first.hasMore, second.hasMore]).toEqual([true, false]);
});

test("a run is created, waited for, listed and modified, and its answer read", async () => {
  const client = connect();
  const { assistantId, threadId } = await conversation(client, [{ text: "Warm enough." }]);

  const created = await client.createRun(threadId, { assistantId });
  const done = await settled(client, created);
  const modified = await client.updateRun(threadId, created.id, { metadata: { n: "2" } });
  const runs = await client.listRuns(threadId);
  const messages = await client.listMessages(threadId);

  expect(created).toMatchObject({ id: anId("run"), threadId, assistantId, status: "queued" });
  expect(done).toMatchObject({ status: "completed", completedAt: expect.any(Date), expiresAt: null });
  expect(modified.metadata).toEqual({ n: "2" });
  expect(runs.data.map(({ id, status }) => [id, status])).toEqual([[created.id, "completed"]]);
  expect(messages.data.map(textOf)).toEqual(["Warm enough.", "How warm is it?"]);
});

test("parallel function calls are answered, and their steps read", async () => {
  const client = connect();
  const turns = [TWO_CALLS, { text: "Lima is warmer." }];
  const { assistantId, threadId, model } = await conversation(client, turns, [WEATHER]);

  const paused = await settled(client, await client.createRun(threadId, { assistantId }));
  const calls = paused.requiredAction?.submitToolOutputs?.toolCalls ?? [];
  const outputs = calls.map((call) => ({ toolCallId: call.id, output: `weather for ${call.id}` }));
  const queued = await client.submitToolOutputsToRun(threadId, paused.id, outputs);
  const done = await settled(client, queued);
  const steps = await client.listRunSteps(threadId, done.id, { order: "asc" });
  const [toolStep, messageStep] = steps.data;
  const retrieved = await client.getRunStep(threadId, done.id, toolStep?.id ?? "");

  expect(paused.status).toBe("requires_action");
  expect(calls.map(({ id }) => id)).toEqual(["call_lima", "call_oslo"]);
  expect(done.status).toBe("completed");
  expect((await model.requests())[1]?.body.messages.slice(-2)).toMatchObject([
    { role: "tool", content: "weather for call_lima" },
    { role: "tool", content: "weather for call_oslo" },
  ]);
  expect(toolStep?.stepDetails).toMatchObject({
    type: "tool_calls",
    toolCalls: [{ id: "call_lima", function: { output: "weather for call_lima" } }, { id: "call_oslo" }],
  });
  expect(messageStep?.stepDetails.type).toBe("message_creation");
  expect(retrieved.id).toBe(toolStep?.id);
});

test("a run is cancelled", async () => {
  const client = connect();
  const { assistantId, threadId } = await conversation(client, [ENDLESS]);

  const created = await client.createRun(threadId, { assistantId });
  await client.cancelRun(threadId, created.id);

  expect((await settled(client, created)).status).toBe("cancelled");
});

test("a thread is created and run in one call", async () => {
  const client = connect();
  const { assistantId } = await conversation(client, [{ text: "Yes." }]);
  const thread = { messages: [{ role: "user", content: "Is it?" }] };

  const created = await client.createThreadAndRun({ assistantId, thread });
  const done = await settled(client, created);

  expect(done.status).toBe("completed");
  expect((await client.listMessages(done.threadId)).data.map(textOf)).toEqual(["Yes.", "Is it?"]);
});

test("errors tell their status, code and message", async () => {
  const client = connect();
  const stranger = connect("a-key-without-a-tenant");

  await expect(client.getThread("thread_gone")).rejects.toMatchObject({
    name: "RestError",
    statusCode: 404,
    message: "No thread found with id 'thread_gone'.",
  });
  await expect(client.createAssistant({ model: "" })).rejects.toMatchObject({ statusCode: 400, code: "empty_string" });
  await expect(stranger.listAssistants()).rejects.toMatchObject({
    statusCode: 401,
    code: "401",
    message: expect.stringContaining("Access denied due to invalid subscription key"),
  });
});

test("files are kept", async () => {
  const client = connect();
  const file = await client.uploadFile(new TextEncoder().encode("Hello"), "assistants", { filename: "a.txt" });
  expect(file).toMatchObject({ id: expect.stringMatching(/^file-/), filename: "a.txt", bytes: 5 });
  expect(await client.getFile(file.id)).toMatchObject({ id: file.id, filename: "a.txt" });
  expect((await client.listFiles()).data.map(({ id }) => id)).toEqual([file.id]);
  expect(await client.deleteFile(file.id)).toEqual({ id: file.id, deleted: true });
});

test("the answer of an assistant that searches files comes with its citation", async () => {
  const { key, openai } = newTenant();
  const client = connect(key);
  const bytes = new TextEncoder().encode(FOODS);
  const file = await client.uploadFile(bytes, "assistants", { filename: FOODS_FILE });
  // This library is older than vector stores: another one has put the file into one.
  const store = await openai.vectorStores.create({});
  await openai.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, POLL);
  const answering = model();
  await answering.script(SEARCHING);
  const assistant = await openai.beta.assistants.create({
    model: answering.name,
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });

  const thread = await client.createThread({ messages: [{ role: "user", content: QUESTION }] });
  const done = await settled(client, await client.createRun(thread.id, { assistantId: assistant.id }));
  const [message] = (await client.listMessages(thread.id)).data;

  expect(done.status).toBe("completed");
  expect(message === undefined ? "" : textOf(message)).toBe(ANSWER);
  // Which file it is, the library reads from a field that only its first API version had.
  expect(message?.content).toMatchObject([{ text: { annotations: [{ type: "file_citation", text: MARKER }] } }]);
});
