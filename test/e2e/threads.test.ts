import { toFile } from "openai";
import { expect, test } from "vitest";
import { all, anId, aTime, newTenant, question, refusal, refused, until } from "./harness.ts";

test("a thread can be created with no body at all", async () => {
  const tenant = newTenant();

  const { status, body } = await tenant.send("POST", "/threads");

  expect(status).toBe(200);
  expect(body).toEqual({ id: anId("thread"), object: "thread", created_at: aTime, metadata: {}, tool_resources: {} });
});

test("a thread keeps its metadata and tool resources", async () => {
  const { openai } = newTenant();
  const { beta, vectorStores } = openai;
  const { threads } = beta;
  const file = await openai.files.create({ file: await toFile(Buffer.from("1"), "1.csv"), purpose: "assistants" });
  const store = await vectorStores.create({ name: "Ada's" });
  const given = {
    metadata: { user: "ada" },
    tool_resources: { code_interpreter: { file_ids: [file.id] }, file_search: { vector_store_ids: [store.id] } },
  };

  const thread = await threads.create(given);

  expect(thread).toEqual({ id: anId("thread"), object: "thread", created_at: aTime, ...given });
  expect(await threads.retrieve(thread.id)).toEqual(thread);
});

test("messages that come with a thread keep their order, also when they are many", async () => {
  const { threads } = newTenant().openai.beta;
  const texts = Array.from({ length: 120 }, (_, number) => `message ${number}`);

  const thread = await threads.create({ messages: texts.map((content) => ({ role: "user", content })) });

  const messages = await all(threads.messages.list(thread.id, { order: "asc", limit: 100 }));
  expect(messages.map(({ content: [part] }) => part?.type === "text" && part.text.value)).toEqual(texts);
});

test("messages that come with a thread keep their roles and metadata", async () => {
  const { threads } = newTenant().openai.beta;

  const thread = await threads.create({
    messages: [
      { role: "user", content: "Hello", metadata: { n: "1" } },
      { role: "assistant", content: [{ type: "text", text: "Good day" }] },
    ],
  });

  const { data } = await threads.messages.list(thread.id);
  expect(data).toMatchObject([
    { role: "assistant", content: [{ type: "text", text: { value: "Good day", annotations: [] } }], metadata: {} },
    { role: "user", metadata: { n: "1" }, assistant_id: null, run_id: null },
  ]);
});

test("modifying a thread replaces what is named and leaves the rest", async () => {
  const { azure, openai } = newTenant();
  const { threads } = azure.beta;
  const thread = await threads.create({ metadata: { a: "1", b: "2" } });
  const file = await openai.files.create({ file: await toFile(Buffer.from("1"), "1.csv"), purpose: "assistants" });
  const tool_resources = { code_interpreter: { file_ids: [file.id] } };

  const withFiles = await threads.update(thread.id, { tool_resources });
  const withOtherMetadata = await threads.update(thread.id, { metadata: { c: "3" } });

  expect(withFiles).toEqual({ ...thread, tool_resources });
  expect(withOtherMetadata).toEqual({ ...thread, tool_resources, metadata: { c: "3" } });
  expect(await threads.retrieve(thread.id)).toEqual(withOtherMetadata);
});

const goneFor = (threadId: string) => refused(404, `No thread found with id '${threadId}'.`);

test("a deleted thread is gone with all that it held", async () => {
  const { openai } = newTenant();
  const { threads } = openai.beta;
  // So many messages that its purge takes more than one slice.
  const { run: request } = await question(openai, [{ text: "Because." }]);
  const messages = Array.from({ length: 500 }, () => ({ role: "user" as const, content: "Why?" }));
  const thread = await threads.create({ messages });
  const additional = { ...request, additional_messages: messages.slice(0, 90) };
  const run = await threads.runs.createAndPoll(thread.id, additional, { pollIntervalMs: 30 });
  const ids = (await threads.messages.list(thread.id, { limit: 100, order: "asc" })).data.map(({ id }) => id);
  const message = (await threads.messages.list(thread.id)).data[0]?.id ?? "";
  const step = (await threads.runs.steps.list(run.id, { thread_id: thread.id })).data[0]?.id ?? "";
  const inThread = { thread_id: thread.id };
  const inRun = { ...inThread, run_id: run.id };

  expect(await threads.delete(thread.id)).toEqual({ id: thread.id, object: "thread.deleted", deleted: true });

  const outputs = { ...inThread, tool_outputs: [{ tool_call_id: "call_1", output: "1" }] };
  const calls: (() => Promise<unknown>)[] = [
    () => threads.retrieve(thread.id),
    () => threads.update(thread.id, { metadata: {} }),
    () => threads.update(thread.id, {}),
    () => threads.delete(thread.id),
    () => threads.messages.list(thread.id),
    () => threads.messages.retrieve(message, inThread),
    () => threads.messages.update(message, { ...inThread, metadata: {} }),
    () => threads.messages.update(message, inThread),
    () => threads.messages.delete(message, inThread),
    () => threads.messages.create(thread.id, { role: "user", content: "Still there?" }),
    () => threads.runs.create(thread.id, request),
    () => threads.runs.list(thread.id),
    () => threads.runs.retrieve(run.id, inThread),
    () => threads.runs.update(run.id, { ...inThread, metadata: {} }),
    () => threads.runs.cancel(run.id, inThread),
    () => threads.runs.submitToolOutputs(run.id, outputs),
    () => threads.runs.steps.list(run.id, inThread),
    () => threads.runs.steps.retrieve(step, inRun),
    // Of the messages, the purge has all kinds before it: done, under way, and to come.
    ...ids.map((id) => () => threads.messages.retrieve(id, inThread)),
  ];
  const refusals = await Promise.all(calls.map((call) => refusal(call())));
  for (const each of refusals) expect(each).toEqual(goneFor(thread.id));
}, 60_000);

test("a run that waits for tool outputs goes with its thread: it takes none, and its model is not asked again", async () => {
  const { openai } = newTenant();
  const { threads } = openai.beta;
  const { model, thread, assistant } = await question(openai, [
    { toolCalls: [{ name: "f", arguments: "{}" }] },
    { text: "Never said." },
  ]);
  const tools = [{ type: "function" as const, function: { name: "f" } }];
  const request = { assistant_id: assistant.id, tools };
  const run = await threads.runs.createAndPoll(thread.id, request, { pollIntervalMs: 30 });
  const call = run.required_action?.submit_tool_outputs.tool_calls[0]?.id ?? "";
  expect(run.status).toBe("requires_action");

  await threads.delete(thread.id);

  const inThread = { thread_id: thread.id };
  const outputs = { ...inThread, tool_outputs: [{ tool_call_id: call, output: "1" }] };
  expect(await refusal(threads.runs.submitToolOutputs(run.id, outputs))).toEqual(goneFor(thread.id));
  expect(await refusal(threads.runs.retrieve(run.id, inThread))).toEqual(goneFor(thread.id));
  expect(await refusal(threads.runs.cancel(run.id, inThread))).toEqual(goneFor(thread.id));
  expect(await model.requests()).toHaveLength(1);
});

test("deleting a thread stops its run: the model is not asked any longer", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ hang: true }]);
  await openai.beta.threads.runs.create(thread.id, run);
  await until(async () => (await model.requests()).length === 1);

  await openai.beta.threads.delete(thread.id);

  await until(async () => (await model.requests())[0]?.aborted);
});
