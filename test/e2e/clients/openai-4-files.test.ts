/**
 * Version 4 of the library with files, vector stores and searches: its helpers for them are those of the Assistants
 * API's best years.
 */
import OpenAI, { AzureOpenAI, NotFoundError, toFile } from "openai-4";
import { expect, inject, test } from "vitest";
import { API_VERSION, all, model, newTenant, POLL } from "../harness.ts";
import { ANSWER, citationOf, FOODS, FOODS_FILE, MARKER, QUESTION, SEARCHING } from "./cited.ts";

const { origin } = inject("stack");
const { key: apiKey } = newTenant();

const FORMS = [
  { form: "OpenAI", client: new OpenAI({ apiKey, maxRetries: 0, baseURL: `${origin}/v1` }) },
  {
    form: "AzureOpenAI",
    client: new AzureOpenAI({ apiKey, maxRetries: 0, endpoint: origin, apiVersion: API_VERSION }),
  },
];

const file = (text: string, name: string) => toFile(Buffer.from(text), name);

test.for(FORMS)("$form: files are sent, downloaded and deleted, and sent in parts", async ({ client }) => {
  const { files, uploads } = client;
  const created = await files.create({ file: await file(FOODS, FOODS_FILE), purpose: "assistants" });
  const content = await (await files.content(created.id)).text();
  const upload = await uploads.create({ filename: "a.txt", purpose: "assistants", bytes: 5, mime_type: "text/plain" });
  const part = await uploads.parts.create(upload.id, { data: await file("Hello", "part") });
  const completed = await uploads.complete(upload.id, { part_ids: [part.id] });

  expect(content).toBe(FOODS);
  expect(await (await files.content(completed.file?.id ?? "")).text()).toBe("Hello");
  expect((await all(files.list())).map(({ id }) => id)).toContain(created.id);
  expect(await files.del(created.id)).toEqual({ id: created.id, object: "file", deleted: true });
  await expect(files.retrieve(created.id)).rejects.toBeInstanceOf(NotFoundError);
});

test.for(FORMS)("$form: a batch is uploaded and polled, and its store searched", async ({ client }) => {
  const { vectorStores } = client;
  const store = await vectorStores.create({ name: "Foods" });

  const batch = await vectorStores.fileBatches.uploadAndPoll(
    store.id,
    { files: [await file(FOODS, FOODS_FILE), await file("The sea is blue.", "sea.md")] },
    POLL,
  );
  const found = await all(vectorStores.search(store.id, { query: "What does Filip like?", max_num_results: 1 }));

  expect(batch).toMatchObject({ status: "completed", file_counts: { completed: 2, total: 2 } });
  expect((await all(vectorStores.fileBatches.listFiles(store.id, batch.id))).length).toBe(2);
  expect(found).toMatchObject([{ filename: FOODS_FILE, content: [{ type: "text", text: FOODS }] }]);
  expect(await vectorStores.del(store.id)).toMatchObject({ id: store.id, deleted: true });
});

test.for(FORMS)("$form: a run searches a file that its message brings, and cites it", async ({ client }) => {
  const { runs, messages } = client.beta.threads;
  const { id: fileId } = await client.files.create({ file: await file(FOODS, FOODS_FILE), purpose: "assistants" });
  const answering = model();
  await answering.script([...SEARCHING, ...SEARCHING]);
  const assistant = await client.beta.assistants.create({ model: answering.name, tools: [{ type: "file_search" }] });
  const attachments = [{ file_id: fileId, tools: [{ type: "file_search" as const }] }];
  const asked = () => client.beta.threads.create({ messages: [{ role: "user", content: QUESTION, attachments }] });
  const [first, second] = [await asked(), await asked()];

  const polled = await runs.createAndPoll(first.id, { assistant_id: assistant.id }, POLL);
  const [message] = (await messages.list(first.id, { run_id: polled.id })).data;
  const stream = runs.stream(second.id, { assistant_id: assistant.id });
  const cited: unknown[] = [];
  stream.on("textDelta", ({ annotations = [] }) => cited.push(...structuredClone(annotations)));
  const [streamed] = await stream.finalMessages();

  expect(polled.status).toBe("completed");
  const content = [{ type: "text", text: { value: ANSWER, annotations: [citationOf(fileId)] } }];
  expect(message?.content).toEqual(content);
  // What this version puts together from the pieces keeps the pieces' own fields.
  expect(streamed?.content).toMatchObject(content);
  expect(cited).toMatchObject([{ index: 0, text: MARKER, file_citation: { file_id: fileId } }]);
});
