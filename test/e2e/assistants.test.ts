import { expect, test } from "vitest";
import { all, anId, aTime, newTenant, refusal, refused } from "./harness.ts";

test("an assistant made of nothing but a model has every default", async () => {
  const { assistants } = newTenant().openai.beta;

  const assistant = await assistants.create({ model: "gpt-4o" });

  expect(assistant).toEqual({
    id: anId("asst"),
    object: "assistant",
    created_at: aTime,
    name: null,
    description: null,
    model: "gpt-4o",
    instructions: null,
    tools: [],
    top_p: 1,
    temperature: 1,
    reasoning_effort: null,
    tool_resources: {},
    metadata: {},
    response_format: "auto",
  });
  expect(await assistants.retrieve(assistant.id)).toEqual(assistant);
});

test("an assistant keeps all that it was given", async () => {
  const { azure, openai } = newTenant();
  const { assistants } = azure.beta;
  const store = await openai.vectorStores.create({ name: "Ada's" });
  const given = {
    model: "gpt-4o",
    name: "Ada",
    description: "Counts.",
    instructions: "Count well.",
    metadata: { team: "blue" },
    temperature: 0.3,
    top_p: 0.5,
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
    response_format: { type: "json_object" as const },
  };

  const assistant = await assistants.create(given);

  expect(assistant).toMatchObject(given);
  expect(await assistants.retrieve(assistant.id)).toEqual(assistant);
});

test("tools come back with the original's defaults filled in", async () => {
  const { assistants } = newTenant().openai.beta;

  const assistant = await assistants.create({
    model: "gpt-4o",
    tools: [
      { type: "function", function: { name: "now" } },
      { type: "file_search" },
      { type: "code_interpreter" },
      {
        type: "function",
        function: { name: "add", description: "Adds.", parameters: { type: "object" }, strict: true },
      },
    ],
  });

  expect(assistant.tools).toEqual([
    { type: "function", function: { name: "now", parameters: { type: "object", properties: {} }, strict: false } },
    {
      type: "file_search",
      file_search: { ranking_options: { ranker: "default_2024_08_21", score_threshold: 0 } },
    },
    { type: "code_interpreter" },
    { type: "function", function: { name: "add", description: "Adds.", parameters: { type: "object" }, strict: true } },
  ]);
  expect(assistant.tool_resources).toEqual({ code_interpreter: { file_ids: [] } });
});

test("a JSON schema as response format survives unchanged", async () => {
  const { assistants } = newTenant().openai.beta;
  const schema = {
    type: "object",
    properties: { n: { type: "number" } },
    required: ["n"],
    additionalProperties: false,
  };
  const format = { type: "json_schema" as const, json_schema: { name: "answer", schema, strict: true } };

  const { id } = await assistants.create({ model: "gpt-4o", response_format: format });

  expect((await assistants.retrieve(id)).response_format).toEqual(format);
});

test("modifying an assistant changes what is named, replaces tools and metadata, and leaves the rest", async () => {
  const { assistants } = newTenant().openai.beta;
  const assistant = await assistants.create({
    model: "gpt-4o",
    name: "Ada",
    description: "Counts.",
    tools: [{ type: "code_interpreter" }],
    metadata: { team: "blue", floor: "2" },
  });

  const modified = await assistants.update(assistant.id, {
    name: "Grace",
    tools: [{ type: "function", function: { name: "now" } }],
    metadata: { team: "red" },
  });

  expect(modified).toEqual({
    ...assistant,
    name: "Grace",
    tools: [
      { type: "function", function: { name: "now", parameters: { type: "object", properties: {} }, strict: false } },
    ],
    metadata: { team: "red" },
  });
  expect(await assistants.retrieve(assistant.id)).toEqual(modified);
});

test("null clears what an assistant may be without", async () => {
  const { assistants } = newTenant().openai.beta;
  const { id } = await assistants.create({ model: "m", name: "Ada", instructions: "Count.", temperature: 0.1 });

  const modified = await assistants.update(id, { name: null, instructions: null, temperature: null, metadata: null });

  expect(modified).toMatchObject({ name: null, instructions: null, temperature: 1, metadata: {} });
});

test("edits of an assistant that cross each other all hold", async () => {
  const { assistants } = newTenant().openai.beta;
  const { id } = await assistants.create({ model: "m" });

  await Promise.all([
    assistants.update(id, { name: "Ada" }),
    assistants.update(id, { description: "Counts." }),
    assistants.update(id, { instructions: "Count." }),
  ]);

  expect(await assistants.retrieve(id)).toMatchObject({ name: "Ada", description: "Counts.", instructions: "Count." });
});

test("a deleted assistant is gone, and its threads stay", async () => {
  const { assistants, threads } = newTenant().openai.beta;
  const assistant = await assistants.create({ model: "m" });
  const thread = await threads.create({ messages: [{ role: "user", content: "Hi" }] });

  expect(await assistants.delete(assistant.id)).toEqual({
    id: assistant.id,
    object: "assistant.deleted",
    deleted: true,
  });

  const gone = refused(404, `No assistant found with id '${assistant.id}'.`);
  expect(await refusal(assistants.retrieve(assistant.id))).toEqual(gone);
  expect(await refusal(assistants.update(assistant.id, { name: "x" }))).toEqual(gone);
  expect(await refusal(assistants.delete(assistant.id))).toEqual(gone);
  expect(await refusal(threads.runs.create(thread.id, { assistant_id: assistant.id }))).toEqual(gone);
  expect(await all(assistants.list())).toEqual([]);
  expect(await threads.retrieve(thread.id)).toEqual(thread);
});

test("a tenant's assistants are listed, the newest first", async () => {
  const { assistants } = newTenant().openai.beta;
  const first = await assistants.create({ model: "m", name: "first" });
  const second = await assistants.create({ model: "m", name: "second" });

  const page = await assistants.list();

  expect(page.data).toEqual([second, first]);
});
