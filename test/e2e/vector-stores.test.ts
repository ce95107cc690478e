/** Vector stores, their files and batches: created, read into, listed, changed and deleted, in both forms of the API. */
import { CosmosClient } from "@azure/cosmos";
import type OpenAI from "openai";
import { toFile } from "openai";
import { describe, expect, inject, test, vi } from "vitest";
import { all, aTime, FORMS, newTenant, POLL, refusal, refused, until } from "./harness.ts";

const upload = async (client: OpenAI, text: string, name = "notes.txt") =>
  client.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" });

/** Reading takes its turn with what else the machine does. Milliseconds. */
vi.setConfig({ testTimeout: 120_000 });

const DEFAULT_CHUNKS = { type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } };

const counts = (some: Partial<OpenAI.VectorStore.FileCounts>) => ({
  ...{ in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 },
  ...some,
});

describe.each(FORMS)("in the form of $form", ({ form, clientOf }) => {
  test("a store takes a file, counts it and gives it back", async () => {
    const client = clientOf(newTenant());
    const store = await client.vectorStores.create({ name: "Manuals", metadata: { team: "a" } });
    const asCreated = {
      id: expect.stringMatching(/^vs_[0-9A-Za-z]{24}$/),
      object: "vector_store",
      created_at: aTime,
      name: "Manuals",
      description: null,
      usage_bytes: 0,
      ...(form === "Azure OpenAI" ? { bytes: 0 } : {}),
      file_counts: counts({}),
      status: "completed",
      expires_after: null,
      expires_at: null,
      last_active_at: aTime,
      metadata: { team: "a" },
    };
    expect(store).toEqual(asCreated);
    const file = await upload(client, "The cat sat on the mat.");
    const attached = await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, POLL);
    expect(attached).toEqual({
      id: file.id,
      object: "vector_store.file",
      usage_bytes: 23 + 1_024,
      created_at: aTime,
      vector_store_id: store.id,
      status: "completed",
      last_error: null,
      chunking_strategy: DEFAULT_CHUNKS,
      attributes: {},
    });
    const used = { usage_bytes: 1_047, ...(form === "Azure OpenAI" ? { bytes: 1_047 } : {}) };
    expect(await client.vectorStores.retrieve(store.id)).toEqual({
      ...asCreated,
      ...used,
      file_counts: counts({ completed: 1, total: 1 }),
    });
    expect((await client.vectorStores.files.list(store.id)).data).toEqual([attached]);
    expect(await client.vectorStores.files.delete(file.id, { vector_store_id: store.id })).toEqual({
      id: file.id,
      object: "vector_store.file.deleted",
      deleted: true,
    });
    const gone = refused(404, `No file found with id '${file.id}' in vector store '${store.id}'.`);
    expect(await refusal(client.vectorStores.files.retrieve(file.id, { vector_store_id: store.id }))).toEqual(gone);
    expect(await client.vectorStores.retrieve(store.id)).toEqual(asCreated);
    const bye = await client.vectorStores.delete(store.id);
    expect(bye).toEqual({ id: store.id, object: "vector_store.deleted", deleted: true });
    const lost = refused(404, `No vector store found with id '${store.id}'.`);
    expect(await refusal(client.vectorStores.retrieve(store.id))).toEqual(lost);
    expect(await client.files.retrieve(file.id)).toEqual(file);
  });

  test("a batch reads good files and bad ones", async () => {
    const client = clientOf(newTenant());
    const store = await client.vectorStores.create({});
    const good = await Promise.all(
      Array.from({ length: 5 }, (_, index) => upload(client, `This is test file ${index}`)),
    );
    const bad = await upload(client, "   \n ", "blank.txt");
    const ids = [...good, bad, good[0] ?? bad].map(({ id }) => id);
    const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: ids }, POLL);
    expect(batch).toEqual({
      id: expect.stringMatching(/^vsfb_[0-9A-Za-z]{24}$/),
      object: "vector_store.file_batch",
      created_at: aTime,
      vector_store_id: store.id,
      status: "completed",
      file_counts: counts({ completed: 5, failed: 1, total: 6 }),
    });
    const listed = await client.vectorStores.fileBatches.listFiles(batch.id, {
      vector_store_id: store.id,
      filter: "failed",
    });
    expect(listed.data).toMatchObject([
      { id: bad.id, status: "failed", last_error: { code: "invalid_file", message: "The file is empty." } },
    ]);
    const again = await client.vectorStores.fileBatches.cancel(batch.id, { vector_store_id: store.id });
    expect(again).toEqual(batch);
  });
});

test("a store is searched with filters, and its files' text is read", async () => {
  const { openai } = newTenant();
  const store = await openai.vectorStores.create({});
  const cat = await upload(openai, "The cat sat on the mat.", "cat.txt");
  const dog = await upload(openai, "The dog chased a ball.", "dog.md");
  const batch = await openai.vectorStores.fileBatches.createAndPoll(
    store.id,
    {
      files: [
        { file_id: cat.id, attributes: { legs: 4, kind: "cat" } },
        { file_id: dog.id, attributes: { kind: "dog" } },
      ],
    },
    POLL,
  );
  expect(batch.file_counts).toEqual(counts({ completed: 2, total: 2 }));
  const found = await openai.vectorStores.search(store.id, { query: "cat on a mat" });
  expect(found.data.map(({ filename }) => filename)).toEqual(["cat.txt", "dog.md"]);
  expect(found.data[0]).toEqual({
    file_id: cat.id,
    filename: "cat.txt",
    score: expect.any(Number),
    attributes: { legs: 4, kind: "cat" },
    content: [{ type: "text", text: "The cat sat on the mat." }],
  });
  await openai.vectorStores.files.update(dog.id, { vector_store_id: store.id, attributes: { kind: "cat" } });
  const filters = {
    type: "and",
    filters: [
      { type: "eq", key: "kind", value: "cat" },
      { type: "ne", key: "legs", value: 4 },
    ],
  } as const;
  const dogs = await openai.vectorStores.search(store.id, {
    query: ["cat", "mat"],
    filters: { ...filters, filters: [...filters.filters] },
  });
  expect(dogs.data).toMatchObject([{ file_id: dog.id, attributes: { kind: "cat" } }]);
  const content = await openai.vectorStores.files.content(dog.id, { vector_store_id: store.id });
  expect(content.data).toEqual([{ type: "text", text: "The dog chased a ball." }]);
  await openai.files.delete(dog.id);
  await until(async () => (await openai.vectorStores.retrieve(store.id)).file_counts.total === 1, 60_000);
  const rest = await openai.vectorStores.search(store.id, { query: "dog" });
  expect(rest.data.map(({ filename }) => filename)).toEqual(["cat.txt"]);
});

test("filters are as long as a query of the store holds, and not longer", async () => {
  const { openai } = newTenant();
  const store = await openai.vectorStores.create({});
  // Control characters are the longest that a key is made of, since they are escaped.
  const comparison = { type: "ne", key: "\u0001".repeat(64), value: "v".repeat(512) } as const;
  const all = (count: number) => ({ type: "and" as const, filters: Array.from({ length: count }, () => comparison) });
  const ten = Array.from({ length: 10 }, () => all(50));
  const search = (filters: ReturnType<typeof all>[]) =>
    openai.vectorStores.search(store.id, { query: "cat", filters: { type: "and", filters } as never });
  expect((await search(ten)).data).toEqual([]);
  expect(await refusal(search([...ten, all(1)]))).toEqual(
    refused(
      400,
      "Invalid 'filters': too long. Expected at most 500 values of all comparisons together.",
      "filters",
      "invalid_value",
    ),
  );
});

test("more files than one batch takes are in a new store at once, and none is lost while they are read", async () => {
  const { openai } = newTenant();
  const file = await upload(openai, "x");
  const files = await Promise.all(Array.from({ length: 120 }, (_, index) => upload(openai, `text ${index}`)));
  const store = await openai.vectorStores.create({ file_ids: [file, ...files].map(({ id }) => id) });
  expect(store).toMatchObject({ status: "in_progress", file_counts: counts({ in_progress: 121, total: 121 }) });
  expect((await all(openai.vectorStores.files.list(store.id, { limit: 100 }))).length).toBe(121);
  await until(async () => (await openai.vectorStores.retrieve(store.id)).status === "completed", 60_000);
  const done = await openai.vectorStores.retrieve(store.id);
  expect(done.file_counts).toEqual(counts({ completed: 121, total: 121 }));
  for await (const attached of openai.vectorStores.files.list(store.id, { limit: 100 })) {
    await openai.vectorStores.files.delete(attached.id, { vector_store_id: store.id });
  }
  expect(await openai.vectorStores.retrieve(store.id)).toMatchObject({ usage_bytes: 0, file_counts: counts({}) });
});

test("a file that is taken out of a store, or deleted, is not found by the next search", async () => {
  const { openai } = newTenant();
  const { vectorStores, files } = openai;
  const [cat, dog, fox] = await Promise.all([
    upload(openai, "The cat sat on the mat."),
    upload(openai, "The dog sat on the rug."),
    upload(openai, "The fox sat on the hill."),
  ]);
  const store = await vectorStores.create({});
  const ids = [cat.id, dog.id, fox.id];
  await vectorStores.fileBatches.createAndPoll(store.id, { file_ids: ids }, POLL);
  const found = async () =>
    (await vectorStores.search(store.id, { query: "Who sat?" })).data.map((each) => each.file_id).toSorted();

  expect(await found()).toEqual(ids.toSorted());
  await vectorStores.files.delete(cat.id, { vector_store_id: store.id });
  expect(await found()).toEqual([dog.id, fox.id].toSorted());
  await files.delete(dog.id);
  await until(async () => (await vectorStores.retrieve(store.id)).file_counts.total === 1);
  expect(await found()).toEqual([fox.id]);
});

const FAILED = { status: "failed" };

test("a store that holds its maximum of files takes no more of them, and says so", async () => {
  const { openai: client, tenant } = newTenant();
  const [inside, another, empty] = await Promise.all(["First.", "Second.", " "].map((text) => upload(client, text)));
  if (inside === undefined || another === undefined || empty === undefined) throw new Error("three are uploaded");
  const { id } = await client.vectorStores.create({ file_ids: [inside.id] });
  expect(await client.vectorStores.files.createAndPoll(id, { file_id: empty.id }, POLL)).toMatchObject(FAILED);
  const stored = new CosmosClient(inject("stack").cosmos).database("threadkeep").container("stores");
  const hold = (more: number) =>
    stored.item(id, `${tenant}:${id}`).patch([{ op: "incr", path: "/file_counts/total", value: more }]);
  const full = refused(400, `Vector store ${id} can't hold more than 10000 files.`);
  const { files, fileBatches } = client.vectorStores;
  await hold(9_998);
  try {
    expect(await refusal(files.create(id, { file_id: another.id }))).toEqual(full);
    expect(await refusal(fileBatches.create(id, { file_ids: [another.id] }))).toEqual(full);
    expect(await files.create(id, { file_id: inside.id })).toMatchObject({ id: inside.id });
    // What is in the store takes no more room when it is tried again.
    expect(await files.createAndPoll(id, { file_id: empty.id }, POLL)).toMatchObject(FAILED);
    const again = { file_ids: [empty.id, inside.id] };
    expect(await fileBatches.createAndPoll(id, again, POLL)).toMatchObject({
      file_counts: { failed: 1, completed: 1, total: 2 },
    });
  } finally {
    await hold(-9_998);
  }
  expect(await files.createAndPoll(id, { file_id: another.id }, POLL)).toMatchObject({ status: "completed" });
});
