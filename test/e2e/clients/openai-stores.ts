/** What every version of the `openai` library since 5 does with vector stores, and with runs that search them. */
import type OpenAI from "openai";
import { expect, test } from "vitest";
import { all, model, POLL } from "../harness.ts";
import { ANSWER, citationOf, FOODS, FOODS_FILE, MARKER, QUESTION, SEARCHING } from "./cited.ts";
import { callsOf, formsOf, type Library } from "./openai-library.ts";

export function storeStories(library: Library): void {
  const file = (text: string, name: string) => library.toFile(Buffer.from(text), name);

  test.for(formsOf(library))("$form: files are uploaded into a store, and the batch polled", async ({ connect }) => {
    const { vectorStores } = connect();
    const store = await vectorStores.create({ name: "Foods" });

    const batch = await vectorStores.fileBatches.uploadAndPoll(
      store.id,
      { files: [await file(FOODS, FOODS_FILE), await file("The sea is blue.", "sea.md")] },
      POLL,
    );
    const one = await vectorStores.files.uploadAndPoll(store.id, await file(" ", "blank.txt"), POLL);
    const listed = await all(vectorStores.files.list(store.id, { limit: 1 }));

    expect(batch).toMatchObject({ status: "completed", file_counts: { completed: 2, total: 2 } });
    expect(one).toMatchObject({ status: "failed", last_error: { code: "invalid_file" } });
    expect(listed.map(({ status }) => status).toSorted()).toEqual(["completed", "completed", "failed"]);
    expect(await vectorStores.fileBatches.cancel(batch.id, { vector_store_id: store.id })).toEqual(batch);
    expect(await vectorStores.retrieve(store.id)).toMatchObject({
      status: "completed",
      file_counts: { completed: 2, failed: 1, total: 3 },
    });
    expect(await vectorStores.delete(store.id)).toMatchObject({ id: store.id, deleted: true });
  });

  test.for(formsOf(library))("$form: a store is searched, and a file of it read", async ({ connect }) => {
    const { files, vectorStores } = connect();
    const [foods, sea] = await Promise.all(
      [await file(FOODS, FOODS_FILE), await file("The sea is blue.", "sea.md")].map((each) =>
        files.create({ file: each, purpose: "assistants" }),
      ),
    );
    const store = await vectorStores.create({});
    for (const each of [foods, sea]) {
      const body = { file_id: each?.id ?? "", attributes: { about: each === sea ? "water" : "food" } };
      await vectorStores.files.createAndPoll(store.id, body, POLL);
    }

    const found = await all(vectorStores.search(store.id, { query: "What does Filip like?", max_num_results: 1 }));
    const filters = { type: "eq" as const, key: "about", value: "water" };
    const filtered = await all(vectorStores.search(store.id, { query: ["Filip", "blue"], filters }));
    const pieces = await all(vectorStores.files.content(foods?.id ?? "", { vector_store_id: store.id }));

    expect(found).toMatchObject([{ file_id: foods?.id, filename: FOODS_FILE, attributes: { about: "food" } }]);
    expect(found[0]?.content).toEqual([{ type: "text", text: FOODS }]);
    expect(filtered.map(({ file_id: id }) => id)).toEqual([sea?.id]);
    expect(pieces).toEqual([{ type: "text", text: FOODS }]);
  });

  test.for(formsOf(library))("$form: a run searches and cites: polled and streamed", async ({ connect }) => {
    const client = connect();
    const { run, thread, fileId } = await searching(client, await file(FOODS, FOODS_FILE));
    const { runs, messages } = client.beta.threads;

    const polled = await runs.createAndPoll(thread.id, run, POLL);
    const [message] = (await messages.list(thread.id, { run_id: polled.id })).data;
    const other = await client.beta.threads.create({ messages: [{ role: "user", content: QUESTION }] });
    const stream = runs.stream(other.id, run);
    const cited: unknown[] = [];
    stream.on("textDelta", ({ annotations = [] }) => cited.push(...structuredClone(annotations)));
    const found: unknown[] = [];
    stream.on("runStepDone", (step) => found.push(...callsOf(step)));
    const [streamed] = await stream.finalMessages();

    expect(polled.status).toBe("completed");
    const content = [{ type: "text", text: { value: ANSWER, annotations: [citationOf(fileId)] } }];
    expect(message?.content).toEqual(content);
    // What some versions put together from the pieces keeps the pieces' own fields.
    expect(streamed?.content).toMatchObject(content);
    expect(cited).toMatchObject([{ index: 0, text: MARKER, file_citation: { file_id: fileId } }]);
    expect(found).toMatchObject([{ file_search: { results: [{ file_id: fileId, file_name: FOODS_FILE }] } }]);
  });
}

/** A thread with a question, and an assistant whose store has the file and whose model searches it, twice. */
async function searching(client: OpenAI, file: File) {
  const { id: fileId } = await client.files.create({ file, purpose: "assistants" });
  const store = await client.vectorStores.create({});
  await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [fileId] }, POLL);
  const answering = model();
  // A conversation of its own each: in a second run of a thread the numbers go on.
  await answering.script([...SEARCHING, ...SEARCHING]);
  const assistant = await client.beta.assistants.create({
    model: answering.name,
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: QUESTION }] });
  return { run: { assistant_id: assistant.id }, thread, fileId };
}
