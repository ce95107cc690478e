/** Vector stores that come with assistants and threads, and files that messages bring along. */
import type OpenAI from "openai";
import { toFile } from "openai";
import { expect, test, vi } from "vitest";
import { newTenant, refusal, refused, until } from "./harness.ts";

vi.setConfig({ testTimeout: 120_000 });

const upload = async (client: OpenAI, text: string, name = "notes.txt") =>
  client.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" });

const WEEK = 7 * 86_400;

test("an assistant gets a store of its own, which does not expire", async () => {
  const { openai } = newTenant();
  const file = await upload(openai, "one");
  const assistant = await openai.beta.assistants.create({
    model: "gpt-4o",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_stores: [{ file_ids: [file.id], metadata: { a: "b" } }] } },
  });
  const [id = ""] = assistant.tool_resources?.file_search?.vector_store_ids ?? [];
  expect(assistant.tool_resources).toEqual({ file_search: { vector_store_ids: [id] } });
  expect(await openai.beta.assistants.retrieve(assistant.id)).toEqual(assistant);
  const store = await until(async () => {
    const now = await openai.vectorStores.retrieve(id);
    return now.status === "completed" && now;
  }, 60_000);
  expect(store).toMatchObject({ file_counts: { completed: 1, total: 1 }, expires_after: null, metadata: { a: "b" } });
});

test("a thread gets a store for a week, with the files of its messages", async () => {
  const { openai } = newTenant();
  const [first, second, third] = await Promise.all(["one", "two", "three"].map((text) => upload(openai, text)));
  if (first === undefined || second === undefined || third === undefined) throw new Error("three files");
  const attached = (file: OpenAI.FileObject) => [{ file_id: file.id, tools: [{ type: "file_search" as const }] }];
  const thread = await openai.beta.threads.create({
    messages: [{ role: "user", content: "Look!", attachments: attached(first) }],
    tool_resources: { file_search: { vector_stores: [{ file_ids: [second.id] }] } },
  });
  const [id = ""] = thread.tool_resources?.file_search?.vector_store_ids ?? [];
  const store = await openai.vectorStores.retrieve(id);
  expect(store.file_counts.total).toBe(2);
  expect(store.expires_after).toEqual({ anchor: "last_active_at", days: 7 });
  expect(store.expires_at).toBe((store.last_active_at ?? 0) + WEEK);
  const message = await openai.beta.threads.messages.create(thread.id, {
    role: "user",
    content: "And this",
    attachments: attached(third),
  });
  expect(message.attachments).toEqual(attached(third));
  expect((await openai.vectorStores.retrieve(id)).file_counts.total).toBe(3);
});

test("a message that is refused for its files leaves no store", async () => {
  const { openai } = newTenant();
  const file = await upload(openai, "one");
  const others = await Promise.all(Array.from({ length: 20 }, (_, index) => upload(openai, `${index}`)));
  const file_ids = others.map(({ id }) => id);
  const thread = await openai.beta.threads.create({ tool_resources: { code_interpreter: { file_ids } } });
  const tools = [{ type: "file_search" as const }, { type: "code_interpreter" as const }];
  const message = { role: "user" as const, content: "Look!", attachments: [{ file_id: file.id, tools }] };
  const { status } = await refusal(openai.beta.threads.messages.create(thread.id, message));
  expect(status).toBe(400);
  expect((await openai.vectorStores.list()).data).toEqual([]);
  expect(await openai.beta.threads.retrieve(thread.id)).toEqual(thread);
});

test("the first attachment makes a thread's store, also where two come at once", async () => {
  const { openai } = newTenant();
  const files = await Promise.all(["a", "b", "c", "d"].map((text) => upload(openai, text)));
  const thread = await openai.beta.threads.create();
  const add = ({ id }: OpenAI.FileObject) =>
    openai.beta.threads.messages.create(thread.id, {
      role: "user",
      content: "Look!",
      attachments: [{ file_id: id, tools: [{ type: "file_search" }, { type: "code_interpreter" }] }],
    });
  await Promise.all(files.map(add));
  const { tool_resources: resources } = await openai.beta.threads.retrieve(thread.id);
  const [id = ""] = resources?.file_search?.vector_store_ids ?? [];
  expect(resources?.code_interpreter?.file_ids?.toSorted()).toEqual(files.map((file) => file.id).toSorted());
  expect((await openai.vectorStores.retrieve(id)).file_counts.total).toBe(4);
  // Those that were made in vain are gone.
  expect((await openai.vectorStores.list()).data.map((store) => store.id)).toEqual([id]);
});

test("what does not exist or cannot be searched is refused, and changes nothing", async () => {
  const { openai } = newTenant();
  const table = await upload(openai, "a,b", "table.csv");
  const thread = await openai.beta.threads.create();
  const message = (fileId: string) =>
    openai.beta.threads.messages.create(thread.id, {
      role: "user",
      content: "Look!",
      attachments: [{ file_id: fileId, tools: [{ type: "file_search" }] }],
    });
  expect(await refusal(message("file-none"))).toEqual(refused(404, "Files [file-none] were not found"));
  const unfit =
    "Files with extensions [.csv] are not supported for retrieval. " +
    "See https://platform.openai.com/docs/assistants/tools/file-search/supported-files";
  expect(await refusal(message(table.id))).toEqual(refused(400, unfit, "attachments", "unsupported_file"));
  const none = refused(404, "No vector store found with id 'vs_none'.");
  const resources = { file_search: { vector_store_ids: ["vs_none"] } };
  expect(await refusal(openai.beta.threads.create({ tool_resources: resources }))).toEqual(none);
  expect(await refusal(openai.beta.threads.update(thread.id, { tool_resources: resources }))).toEqual(none);
  expect(await refusal(openai.beta.assistants.create({ model: "gpt-4o", tool_resources: resources }))).toEqual(none);
  const both = { file_search: { vector_store_ids: ["vs_none"], vector_stores: [{}] } };
  expect(await refusal(openai.beta.threads.create({ tool_resources: both }))).toEqual(
    refused(
      400,
      "Invalid 'tool_resources.file_search': only one of 'vector_stores' and 'vector_store_ids' may be given.",
      "tool_resources.file_search",
      "invalid_value",
    ),
  );
  expect((await openai.vectorStores.list()).data).toEqual([]);
  expect((await openai.beta.threads.messages.list(thread.id)).data).toEqual([]);
});
