import { expect, test } from "vitest";
import { all, anId, aTime, newTenant, question, refusal, refused, until } from "./harness.ts";

test("a thread can be created with no body at all", async () => {
  const tenant = newTenant();

  const { status, body } = await tenant.send("POST", "/threads");

  expect(status).toBe(200);
  expect(body).toEqual({ id: anId("thread"), object: "thread", created_at: aTime, metadata: {}, tool_resources: {} });
});

test("a thread keeps its metadata and tool resources", async () => {
  const { threads } = newTenant().openai.beta;
  const given = {
    metadata: { user: "ada" },
    tool_resources: { code_interpreter: { file_ids: ["file-1"] }, file_search: { vector_store_ids: ["vs_1"] } },
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
  const { threads } = newTenant().azure.beta;
  const thread = await threads.create({ metadata: { a: "1", b: "2" } });
  const tool_resources = { code_interpreter: { file_ids: ["file-1"] } };

  const withFiles = await threads.update(thread.id, { tool_resources });
  const withOtherMetadata = await threads.update(thread.id, { metadata: { c: "3" } });

  expect(withFiles).toEqual({ ...thread, tool_resources });
  expect(withOtherMetadata).toEqual({ ...thread, tool_resources, metadata: { c: "3" } });
  expect(await threads.retrieve(thread.id)).toEqual(withOtherMetadata);
});

test("a deleted thread is gone with all that it held", async () => {
  const { openai } = newTenant();
  const { threads } = openai.beta;
  const { thread, run: request } = await question(openai, [{ text: "Because." }]);
  const run = await threads.runs.createAndPoll(thread.id, request, { pollIntervalMs: 30 });
  const [message] = (await threads.messages.list(thread.id)).data;
  const [step] = (await threads.runs.steps.list(run.id, { thread_id: thread.id })).data;
  const inThread = { thread_id: thread.id };

  expect(await threads.delete(thread.id)).toEqual({ id: thread.id, object: "thread.deleted", deleted: true });

  const gone = refused(404, `No thread found with id '${thread.id}'.`);
  const stepParams = { ...inThread, run_id: run.id };
  const calls: (() => Promise<unknown>)[] = [
    () => threads.retrieve(thread.id),
    () => threads.update(thread.id, { metadata: {} }),
    () => threads.delete(thread.id),
    () => threads.messages.list(thread.id),
    () => threads.messages.retrieve(message?.id ?? "", inThread),
    () => threads.messages.update(message?.id ?? "", { ...inThread, metadata: {} }),
    () => threads.messages.delete(message?.id ?? "", inThread),
    () => threads.messages.create(thread.id, { role: "user", content: "Still there?" }),
    () => threads.runs.create(thread.id, request),
    () => threads.runs.list(thread.id),
    () => threads.runs.retrieve(run.id, inThread),
    () => threads.runs.steps.list(run.id, inThread),
    () => threads.runs.steps.retrieve(step?.id ?? "", stepParams),
  ];
  for (const call of calls) expect(await refusal(call())).toEqual(gone);
});

test("deleting a thread stops its run: the model is not asked any longer", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ hang: true }]);
  await openai.beta.threads.runs.create(thread.id, run);
  await until(async () => (await model.requests()).length === 1);

  await openai.beta.threads.delete(thread.id);

  await until(async () => (await model.requests())[0]?.aborted);
});
