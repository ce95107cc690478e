/** The library of Azure AI's agents: another form of path, tokens instead of keys, and a list of threads. */
import { Readable } from "node:stream";
import {
  AgentsClient,
  type FunctionToolDefinition,
  isOutputOfType,
  type MessageTextContent,
  type RequiredFunctionToolCall,
  type RunStepToolCallDetails,
  type SubmitToolOutputsAction,
  type ThreadMessage,
  type ThreadRun,
  ToolUtility,
} from "@azure/ai-agents";
import { expect, inject, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { all, anId, model, newTenant, send, until } from "../harness.ts";
import { ANSWER, FOODS, FOODS_FILE, MARKER, QUESTION, SEARCHING } from "./cited.ts";
import { ENDLESS, TWO_CALLS, thrown } from "./openai-library.ts";

/**
 * The library gives its token to https only. So it is told an https address, and the last step of its own pipeline
 * takes the request to the plain one: what a gateway in front of the app would do.
 */
function connect(key = newTenant().key): AgentsClient {
  const { host } = new URL(inject("stack").origin);
  const credential = { getToken: async () => ({ token: key, expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const client = new AgentsClient(`https://${host}/api/projects/demo`, credential);
  client.pipeline.addPolicy(
    {
      name: "gateway",
      sendRequest: (request, next) => {
        request.url = request.url.replace(/^https:/, "http:");
        request.allowInsecureConnection = true;
        return next(request);
      },
    },
    { afterPhase: "Sign" },
  );
  return client;
}

const WEATHER: FunctionToolDefinition = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

const OUTPUTS = [
  { toolCallId: "call_lima", output: "22 degrees" },
  { toolCallId: "call_oslo", output: "3 degrees" },
];

const QUICKLY = { pollingOptions: { intervalInMs: 30 } };

async function conversation(client: AgentsClient, turns: Turn[], tools: FunctionToolDefinition[] = []) {
  const answering = model();
  await answering.script(turns);
  const agent = await client.createAgent(answering.name, { instructions: "Help.", tools });
  const thread = await client.threads.create({ messages: [{ role: "user", content: "How warm is it?" }] });
  return { agentId: agent.id, threadId: thread.id, model: answering };
}

/** The library's own poller takes a run that waits for outputs for one that is running. */
const paused = (client: AgentsClient, { threadId, id }: ThreadRun): Promise<ThreadRun> =>
  until(async () => {
    const run = await client.runs.get(threadId, id);
    return run.status === "requires_action" && run;
  });

const textOf = ({ content }: ThreadMessage) =>
  content
    .map((part) => (isOutputOfType<MessageTextContent>(part, "text") ? part.text.value : `[${part.type}]`))
    .join("");

test("agents are kept", async () => {
  const client = connect();

  const created = await client.createAgent("m", { name: "Ada", tools: [WEATHER], metadata: { n: "1" } });
  const retrieved = await client.getAgent(created.id);
  const modified = await client.updateAgent(created.id, { name: "Bea" });
  const listed = await all(client.listAgents());
  const deleted = await client.deleteAgent(created.id);

  expect(created).toMatchObject({ id: anId("asst"), name: "Ada", tools: [WEATHER], metadata: { n: "1" } });
  expect(retrieved).toEqual(created);
  expect(modified).toEqual({ ...created, name: "Bea" });
  expect(listed).toEqual([modified]);
  expect(deleted).toMatchObject({ id: created.id, deleted: true });
  await expect(client.getAgent(created.id)).rejects.toMatchObject({ statusCode: 404 });
});

test("threads are kept", async () => {
  const { threads } = connect();

  const created = await threads.create({ metadata: { user: "1" } });
  const retrieved = await threads.get(created.id);
  const modified = await threads.update(created.id, { metadata: { user: "2" } });
  const deleted = await threads.delete(created.id);

  expect(created).toMatchObject({ id: anId("thread"), metadata: { user: "1" } });
  expect(retrieved).toEqual(created);
  expect(modified).toEqual({ ...created, metadata: { user: "2" } });
  expect(deleted).toMatchObject({ id: created.id, deleted: true });
  await expect(threads.get(created.id)).rejects.toMatchObject({ statusCode: 404 });
});

test("threads are listed, the newest first, page by page", async () => {
  const { threads } = connect();
  const one = await threads.create({ metadata: { n: "1" } });
  const two = await threads.create({ messages: [{ role: "user", content: "Hello" }] });
  const three = await threads.create();

  expect(await all(threads.list())).toEqual([three, two, one]);
  expect(await all(threads.list({ order: "asc" }))).toEqual([one, two, three]);
  expect(await all(threads.list({ limit: 2 }))).toEqual([three, two]);
  expect(await all(threads.list({ limit: 2, after: two.id }))).toEqual([one]);
  expect(await all(threads.list({ limit: 2, before: one.id }))).toEqual([three, two]);
  await threads.delete(two.id);
  expect(await all(threads.list())).toEqual([three, one]);
});

test("a tenant's list of threads shows no threads of other tenants", async () => {
  const mine = connect();
  const theirs = connect();
  const older = await mine.threads.create();
  const foreign = await theirs.threads.create();
  const newer = await mine.threads.create();

  expect(await all(mine.threads.list())).toEqual([newer, older]);
  expect(await all(theirs.threads.list())).toEqual([foreign]);
  expect(await all(mine.threads.list({ limit: 1, after: newer.id }))).toEqual([older]);
});

test("messages are kept", async () => {
  const client = connect();
  const { messages } = client;
  const thread = await client.threads.create();

  const created = await messages.create(thread.id, "user", "Hello");
  const modified = await messages.update(thread.id, created.id, { metadata: { n: "2" } });
  const retrieved = await messages.get(thread.id, created.id);
  const second = await messages.create(thread.id, "user", [{ type: "text", text: "Again" }]);

  expect(created).toMatchObject({ id: anId("msg"), threadId: thread.id, role: "user" });
  expect(modified).toEqual({ ...created, metadata: { n: "2" } });
  expect(retrieved).toEqual(modified);
  expect((await all(messages.list(thread.id, { order: "asc" }))).map(textOf)).toEqual(["Hello", "Again"]);
  expect(await all(messages.list(thread.id, { limit: 1 }))).toEqual([second]);
});

test("a run is created, polled, listed and modified, and its answer read", async () => {
  const client = connect();
  const { runs, messages } = client;
  const { agentId, threadId } = await conversation(client, [{ text: "Warm enough." }]);

  const done = await runs.createAndPoll(threadId, agentId, QUICKLY);
  const modified = await runs.update(threadId, done.id, { metadata: { n: "2" } });
  const retrieved = await runs.get(threadId, done.id);

  expect(done).toMatchObject({ id: anId("run"), threadId, assistantId: agentId, status: "completed" });
  expect(modified).toEqual({ ...done, metadata: { n: "2" } });
  expect(retrieved).toEqual(modified);
  expect(await all(runs.list(threadId))).toEqual([modified]);
  expect((await all(messages.list(threadId, { runId: done.id }))).map(textOf)).toEqual(["Warm enough."]);
});

test("parallel function calls are answered, and their steps read with include[]", async () => {
  const client = connect();
  const { runs, runSteps } = client;
  const { agentId, threadId } = await conversation(client, [TWO_CALLS, { text: "Lima is warmer." }], [WEATHER]);
  const include = ["step_details.tool_calls[*].file_search.results[*].content" as const];

  const waiting = await paused(client, await runs.create(threadId, agentId, { include }));
  await runs.submitToolOutputs(threadId, waiting.id, OUTPUTS);
  const done = await until(async () => {
    const run = await runs.get(threadId, waiting.id);
    return run.status === "completed" && run;
  });
  const [toolStep, messageStep] = await all(runSteps.list(threadId, done.id, { order: "asc", include }));
  const retrieved = await runSteps.get(threadId, done.id, toolStep?.id ?? "", { include });

  expect(callsOf(waiting)).toEqual(['{"city":"Lima"}', '{"city":"Oslo"}']);
  const details = toolStep?.stepDetails as RunStepToolCallDetails;
  expect(details.toolCalls.map(({ id }) => id)).toEqual(["call_lima", "call_oslo"]);
  expect(messageStep?.type).toBe("message_creation");
  expect(retrieved).toEqual(toolStep);
});

test("a run is streamed", async () => {
  const client = connect();
  const { agentId, threadId } = await conversation(client, [{ text: ["Warm", " enough."] }]);

  const events = await all(await client.runs.create(threadId, agentId).stream());

  expect(events.map(({ event }) => event)).toEqual([
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
  ]);
  expect(events.at(-2)?.data).toEqual((await all(client.runs.list(threadId)))[0]);
});

test("function calls are streamed, answered, and the answer streamed", async () => {
  const client = connect();
  const { agentId, threadId } = await conversation(client, [TWO_CALLS, { text: ["Lima."] }], [WEATHER]);

  const calling = await all(await client.runs.create(threadId, agentId).stream());
  const waiting = calling.at(-2)?.data as ThreadRun;
  const answering = await all(await client.runs.submitToolOutputs(threadId, waiting.id, OUTPUTS).stream());

  expect(calling.at(-2)?.event).toBe("thread.run.requires_action");
  expect(callsOf(waiting)).toEqual(['{"city":"Lima"}', '{"city":"Oslo"}']);
  const completed = answering.find(({ event }) => event === "thread.message.completed");
  expect(textOf(completed?.data as ThreadMessage)).toBe("Lima.");
  expect(answering.at(-2)?.event).toBe("thread.run.completed");
});

test("a thread is created and run: plainly and streamed", async () => {
  const client = connect();
  const { agentId } = await conversation(client, [{ text: "One." }, { text: "Two." }]);
  const thread = { messages: [{ role: "user" as const, content: "Count!" }] };

  const created = await client.runs.createThreadAndRun(agentId, { thread });
  await until(async () => (await client.runs.get(created.threadId, created.id)).status === "completed");
  const events = await all(await client.runs.createThreadAndRun(agentId, { thread }).stream());

  expect((await all(client.messages.list(created.threadId))).map(textOf)).toEqual(["One.", "Count!"]);
  expect(events[0]?.event).toBe("thread.created");
  expect(events.at(-2)).toMatchObject({ event: "thread.run.completed", data: { status: "completed" } });
});

test("a run is cancelled", async () => {
  const client = connect();
  const { agentId, threadId } = await conversation(client, [ENDLESS]);

  const created = await client.runs.create(threadId, agentId);
  await client.runs.cancel(threadId, created.id);

  await until(async () => (await client.runs.get(threadId, created.id)).status === "cancelled");
});

test("errors tell their status, code and message", async () => {
  const client = connect();
  const stranger = connect("a-key-without-a-tenant");

  const missing = await thrown(client.threads.get("thread_gone"));
  const wrong = await thrown(client.createAgent("m", { temperature: 3 }));
  const refused = await thrown(stranger.threads.create());

  expect(missing).toMatchObject({ statusCode: 404, message: "No thread found with id 'thread_gone'." });
  expect(wrong).toMatchObject({ statusCode: 400, code: "decimal_above_max_value" });
  expect(wrong).toHaveProperty("details.error.param", "temperature");
  expect(refused).toMatchObject({ statusCode: 401, code: "401" });
});

test.for(["/v1/threads", "/openai/threads?api-version=v1"])("%s does not list threads", async (address) => {
  const headers = { authorization: `Bearer ${newTenant().key}` };

  const { status, body } = await send(address, { headers });

  expect(status).toBe(404);
  expect(body).toEqual({ error: { code: "404", message: "Resource not found" } });
});

/** The arguments of the calls that a run waits for. */
function callsOf({ requiredAction }: ThreadRun): string[] {
  const { submitToolOutputs } = requiredAction as SubmitToolOutputsAction;
  return submitToolOutputs.toolCalls.map((call) => (call as RequiredFunctionToolCall).function.arguments);
}

test("files are kept", async () => {
  const { files } = connect();
  const file = await files.upload(Readable.from([Buffer.from("Hello")]), "assistants", { fileName: "a.txt" });
  expect(file).toMatchObject({
    id: expect.stringMatching(/^file-/),
    filename: "a.txt",
    bytes: 5,
    purpose: "assistants",
  });
  expect((await files.list()).data.map(({ id }) => id)).toEqual([file.id]);
  expect(await files.delete(file.id)).toMatchObject({ id: file.id, deleted: true });
  expect((await files.list()).data).toEqual([]);
});

test("a batch of files is polled, and its files are listed", async () => {
  const client = connect();
  const { files, vectorStores, vectorStoreFiles, vectorStoreFileBatches } = client;
  const upload = (text: string, fileName: string) =>
    files.uploadAndPoll(Readable.from([Buffer.from(text)]), "assistants", { fileName, ...QUICKLY });
  const [foods, sea] = [await upload(FOODS, FOODS_FILE), await upload("The sea is blue.", "sea.md")];
  const store = await vectorStores.createAndPoll({ name: "Foods", ...QUICKLY });
  const batch = await vectorStoreFileBatches.createAndPoll(store.id, { fileIds: [foods.id, sea.id], ...QUICKLY });

  expect(batch).toMatchObject({ status: "completed", fileCounts: { completed: 2, total: 2 } });
  const listed = await all(vectorStoreFileBatches.list(store.id, batch.id));
  expect(listed.map(({ id }) => id).toSorted()).toEqual([foods.id, sea.id].toSorted());
  expect(await vectorStoreFiles.get(store.id, sea.id)).toMatchObject({ status: "completed", vectorStoreId: store.id });
  expect(await vectorStoreFiles.delete(store.id, sea.id)).toMatchObject({ id: sea.id, deleted: true });
  expect(await vectorStores.get(store.id)).toMatchObject({ fileCounts: { completed: 1, total: 1 } });
});

test("an agent searches files and cites them: polled and streamed", async () => {
  const client = connect();
  const file = await client.files.upload(Readable.from([Buffer.from(FOODS)]), "assistants", { fileName: FOODS_FILE });
  const store = await client.vectorStores.createAndPoll({ fileIds: [file.id], ...QUICKLY });
  const answering = model();
  await answering.script([...SEARCHING, ...SEARCHING]);
  const { definition, resources } = ToolUtility.createFileSearchTool([store.id]);
  const agent = await client.createAgent(answering.name, { tools: [definition], toolResources: resources });
  const asked = () => client.threads.create({ messages: [{ role: "user", content: QUESTION }] });
  const [first, second] = [await asked(), await asked()];

  const done = await client.runs.createAndPoll(first.id, agent.id, QUICKLY);
  const [polled] = await all(client.messages.list(first.id));
  const events = await all(await client.runs.create(second.id, agent.id).stream());
  const streamed = events.find(({ event }) => event === "thread.message.completed")?.data as ThreadMessage;

  expect(done.status).toBe("completed");
  for (const message of [polled, streamed]) {
    expect(message?.content).toMatchObject([
      { text: { value: ANSWER, annotations: [{ type: "file_citation", text: MARKER }] } },
    ]);
  }
  const [content] = polled?.content ?? [];
  expect(JSON.stringify(content)).toContain(file.id);
  expect(events.at(-2)?.event).toBe("thread.run.completed");
});
