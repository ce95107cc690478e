import { toFile } from "openai";
import { expect, test } from "vitest";
import { anId, aTime, newTenant, POLL, question, refusal, refused } from "./harness.ts";

test("a message of a user is complete at once, with every field", async () => {
  const { threads } = newTenant().openai.beta;
  const thread = await threads.create();

  const message = await threads.messages.create(thread.id, { role: "user", content: "Hello" });

  expect(message).toEqual({
    id: anId("msg"),
    object: "thread.message",
    created_at: aTime,
    assistant_id: null,
    thread_id: thread.id,
    run_id: null,
    status: "completed",
    incomplete_details: null,
    completed_at: aTime,
    incomplete_at: null,
    role: "user",
    content: [{ type: "text", text: { value: "Hello", annotations: [] } }],
    attachments: [],
    metadata: {},
  });
  expect(await threads.messages.retrieve(message.id, { thread_id: thread.id })).toEqual(message);
});

test("a message may be written in the assistant's name", async () => {
  const { threads } = newTenant().openai.beta;
  const thread = await threads.create();

  const message = await threads.messages.create(thread.id, { role: "assistant", content: "I said so." });

  expect(message).toMatchObject({ role: "assistant", assistant_id: null, run_id: null, status: "completed" });
});

test("content in parts keeps its order: texts, pictures by address, pictures by file", async () => {
  const { threads } = newTenant().azure.beta;
  const thread = await threads.create();
  const image_url = { url: "https://pictures.example/cat.png", detail: "low" as const };

  const message = await threads.messages.create(thread.id, {
    role: "user",
    content: [
      { type: "text", text: "Look:" },
      { type: "image_url", image_url },
      { type: "text", text: "A cat?" },
    ],
  });

  expect(message.content).toEqual([
    { type: "text", text: { value: "Look:", annotations: [] } },
    { type: "image_url", image_url },
    { type: "text", text: { value: "A cat?", annotations: [] } },
  ]);
  expect(await threads.messages.retrieve(message.id, { thread_id: thread.id })).toEqual(message);
});

test("the model gets a picture by its address, with the detail asked for", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "A cat." }], "Look at this.");
  const image_url = { url: "https://pictures.example/cat.png", detail: "low" as const };
  await openai.beta.threads.messages.create(thread.id, {
    role: "user",
    content: [
      { type: "text", text: "What is it?" },
      { type: "image_url", image_url },
    ],
  });

  await openai.beta.threads.runs.createAndPoll(thread.id, run, POLL);

  const [request] = await model.requests();
  expect(request?.body.messages).toEqual([
    { role: "user", content: "Look at this." },
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url },
      ],
    },
  ]);
});

test("attachments come back as they were given", async () => {
  const { beta, files } = newTenant().openai;
  const { threads } = beta;
  const thread = await threads.create();
  const file = await files.create({ file: await toFile(Buffer.from("Hello"), "a.txt"), purpose: "assistants" });
  const attachments = [{ file_id: file.id, tools: [{ type: "file_search" as const }] }];

  const message = await threads.messages.create(thread.id, { role: "user", content: "Read this.", attachments });

  expect(message.attachments).toEqual(attachments);
});

test("modifying a message replaces its metadata and nothing else", async () => {
  const { threads } = newTenant().openai.beta;
  const thread = await threads.create();
  const message = await threads.messages.create(thread.id, { role: "user", content: "Hi", metadata: { a: "1" } });

  const modified = await threads.messages.update(message.id, { thread_id: thread.id, metadata: { b: "2" } });
  const untouched = await threads.messages.update(message.id, { thread_id: thread.id });

  expect(modified).toEqual({ ...message, metadata: { b: "2" } });
  expect(untouched).toEqual(modified);
  expect(await threads.messages.retrieve(message.id, { thread_id: thread.id })).toEqual(modified);
});

test("a deleted message is gone, and the model does not get it", async () => {
  const { openai } = newTenant();
  const { messages, runs } = openai.beta.threads;
  const { model, thread, run } = await question(openai, [{ text: "Yes." }], "Keep this.");
  const inThread = { thread_id: thread.id };
  const secret = await messages.create(thread.id, { role: "user", content: "Forget this." });

  const deleted = await messages.delete(secret.id, inThread);
  await runs.createAndPoll(thread.id, run, POLL);

  expect(deleted).toEqual({ id: secret.id, object: "thread.message.deleted", deleted: true });
  const gone = refused(404, `No message found with id '${secret.id}'.`);
  expect(await refusal(messages.retrieve(secret.id, inThread))).toEqual(gone);
  expect(await refusal(messages.update(secret.id, { ...inThread, metadata: {} }))).toEqual(gone);
  expect(await refusal(messages.delete(secret.id, inThread))).toEqual(gone);
  expect((await model.requests())[0]?.body.messages).toEqual([{ role: "user", content: "Keep this." }]);
});

test("only a message can be deleted as a message", async () => {
  const { openai } = newTenant();
  const { thread, run: request } = await question(openai, [{ text: "Because." }]);
  const { threads } = openai.beta;
  const run = await threads.runs.createAndPoll(thread.id, request, POLL);

  const asMessage = run.id.replace("run_", "msg_");

  expect(await refusal(threads.messages.delete(asMessage, { thread_id: thread.id }))).toEqual(
    refused(404, `No message found with id '${asMessage}'.`),
  );
});

test("messages of another thread are not found in this one", async () => {
  const { threads } = newTenant().openai.beta;
  const [here, there] = await Promise.all([threads.create(), threads.create()]);
  const message = await threads.messages.create(there.id, { role: "user", content: "Hi" });

  expect(await refusal(threads.messages.retrieve(message.id, { thread_id: here.id }))).toEqual(
    refused(404, `No message found with id '${message.id}'.`),
  );
});

test("fifty messages written at the same time are all there, each with its place", async () => {
  const { threads } = newTenant().openai.beta;
  const thread = await threads.create();
  const texts = Array.from({ length: 50 }, (_, number) => `message ${number}`);

  const created = await Promise.all(
    texts.map((content) => threads.messages.create(thread.id, { role: "user", content })),
  );

  const ascending = await threads.messages.list(thread.id, { order: "asc", limit: 100 });
  const descending = await threads.messages.list(thread.id, { order: "desc", limit: 100 });
  const ids = ascending.data.map(({ id }) => id);
  expect(ids.toSorted()).toEqual(created.map(({ id }) => id).toSorted());
  expect(descending.data.map(({ id }) => id)).toEqual(ids.toReversed());
});

test.for([
  {
    name: "emoji, scripts and combining marks",
    text: "👩‍👩‍👧‍👦 café cafe\u0301 你好 مرحبا \u{1F1E9}\u{1F1EA} \u2028\u2029",
  },
  { name: "quotes, backslashes and line ends", text: 'He said "no\\yes".\r\n\tNext\u0001line' },
  { name: "256,000 characters", text: "0123456789 words\n".repeat(20_000).slice(0, 256_000) },
  { name: "256,000 characters of emoji", text: "😀".repeat(128_000) },
])("a text goes to the store and to the model unchanged: $name", async ({ text }) => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: ["Got ", "it."] }], text);

  await openai.beta.threads.runs.createAndPoll(thread.id, run, POLL);

  const { data } = await openai.beta.threads.messages.list(thread.id, { order: "asc" });
  expect(data[0]?.content).toEqual([{ type: "text", text: { value: text, annotations: [] } }]);
  expect((await model.requests())[0]?.body.messages).toEqual([{ role: "user", content: text }]);
});

test("an answer comes back unchanged, however its characters were cut into pieces", async () => {
  const { openai } = newTenant();
  const text = "👩‍👩‍👧‍👦 café 你好 “quoted” \\ \n end ";
  const { thread, run } = await question(openai, [{ text: Array.from(text) }]);

  await openai.beta.threads.runs.createAndPoll(thread.id, run, POLL);

  const [answer] = (await openai.beta.threads.messages.list(thread.id)).data;
  expect(answer?.content).toEqual([{ type: "text", text: { value: text, annotations: [] } }]);
});
