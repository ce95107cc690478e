import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { openApi, openApiDocument } from "../../../src/api/openapi.ts";
import { operations } from "../../../src/api/operations/index.ts";
import { createAssistantRequest, newAssistant } from "../../../src/resources/assistant.ts";
import { listOf } from "../../../src/resources/common.ts";
import { createMessageRequest, newMessage } from "../../../src/resources/message.ts";
import { createRunRequest, createThreadAndRunRequest, newRun } from "../../../src/resources/run.ts";
import { assistant, CREATED, THREAD } from "../documents.ts";

const document = openApiDocument(operations);

interface Described {
  operationId: string;
  servers?: { url: string }[];
  parameters?: { name: string; schema: object }[];
  requestBody?: { required: boolean };
  responses: Record<string, { content?: Record<string, { schema: { $ref: string } }> }>;
}

/** What the document says about an operation. */
function described(name: string): Described {
  const operation = operations.find((each) => each.name === name);
  const path = document.paths[`/${operation?.path}`];
  return path?.[operation?.method.toLowerCase() ?? ""] as Described;
}

// Strict: a keyword that says nothing, or not what it seems to say, is an error.
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
ajv.addKeyword("components");
ajv.addSchema({ $id: "api", components: { schemas: document.components.schemas } });

/** What the named schema has against a value; undefined if it fits. */
function complaint(schema: string, value: unknown): string | undefined {
  const validate = ajv.getSchema(`api#/components/schemas/${schema}`);
  if (validate === undefined) throw new Error(`no schema ${schema}`);
  return validate(JSON.parse(JSON.stringify(value))) ? undefined : ajv.errorsText(validate.errors);
}

test("the document is answered as JSON, without a key, and always the same", async () => {
  const { status, headers, body } = await openApi();
  expect(status).toBe(200);
  expect(headers).toEqual({ "content-type": "application/json" });
  expect(JSON.parse(String(body))).toEqual(JSON.parse(JSON.stringify(document)));
  expect((await openApi()).body).toBe(body);
});

test("the document has every operation at its path and method, and no others", () => {
  const found = Object.entries(document.paths).flatMap(([path, { parameters: _, ...methods }]) =>
    Object.entries(methods as Record<string, Described>).map(([method, { operationId }]) => ({
      name: operationId,
      route: `${method.toUpperCase()} ${path}`,
    })),
  );
  const expected = operations.map(({ name, method, path }) => ({ name, route: `${method} /${path}` }));
  expect(found.sort(byRoute)).toEqual(expected.sort(byRoute));
});

const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1);

test("every parameter of a path is described, and nothing that is not in the path", () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = (item.parameters as { in?: string; name?: string; required?: boolean }[]).filter(
      (parameter) => parameter.in === "path",
    );
    expect(
      parameters.map(({ name }) => name),
      path,
    ).toEqual(names);
    expect(parameters.every(({ required }) => required)).toBe(true);
  }
});

test("everything that the document refers to is in it", () => {
  const pointers = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer = ""]) => pointer);
  expect(pointers.length).toBeGreaterThan(100);
  for (const pointer of new Set(pointers)) {
    const target = pointer.split("/").reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
    expect(target, pointer).toBeTypeOf("object");
  }
});

test("no schema is there that nothing refers to", () => {
  const text = JSON.stringify(document);
  for (const name of Object.keys(document.components.schemas)) {
    expect(text.includes(`"#/components/schemas/${name}"`), name).toBe(true);
  }
});

test.each(Object.keys(document.components.schemas))("the schema %s is a valid one", (name) => {
  expect(ajv.getSchema(`api#/components/schemas/${name}`)).toBeTypeOf("function");
});

test("the document names both forms of address, and that of Azure AI's agents with its project", () => {
  expect(document.servers.map(({ url }) => url)).toEqual(["/openai", "/v1", "/api/projects/{project}"]);
  expect(document.servers.at(-1)).toMatchObject({ variables: { project: { default: expect.any(String) } } });
  expect(described("listThreads").servers?.map(({ url }) => url)).toEqual(["/api/projects/{project}"]);
  expect(described("getThread").servers).toBeUndefined();
});

test("either kind of key will do", () => {
  expect(document.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
  expect(document.components.securitySchemes).toMatchObject({
    bearer: { type: "http", scheme: "bearer" },
    apiKey: { type: "apiKey", in: "header", name: "api-key" },
  });
});

test("the operations that stream say so, and watching a run is a stream and nothing else", () => {
  const kinds = (name: string) => Object.keys(described(name).responses["200"]?.content ?? {});
  const streaming = operations.map(({ name }) => name).filter((name) => kinds(name).includes("text/event-stream"));
  expect(streaming.sort()).toEqual(["createRun", "createThreadAndRun", "submitToolOutputs", "watchRun"]);
  expect(kinds("createRun")).toEqual(["application/json", "text/event-stream"]);
  expect(kinds("watchRun")).toEqual(["text/event-stream"]);
});

test.each([
  ["createRun", "Run"],
  ["listMessages", "ListMessagesResponse"],
  ["deleteThread", "DeleteThreadResponse"],
  ["getRunStep", "RunStep"],
])("%s answers with a %s", (operation, schema) => {
  expect(described(operation).responses["200"]?.content?.["application/json"]?.schema).toEqual({
    $ref: `#/components/schemas/${schema}`,
  });
});

test("every operation says how it refuses", () => {
  for (const { name, body } of operations) {
    const statuses = Object.keys(described(name).responses);
    expect(statuses, name).toEqual(expect.arrayContaining(["400", "401", "404", "429", "500"]));
    expect(statuses.includes("413"), name).toBe(body !== undefined);
  }
});

test("a thread may be created without a body, a run may not", () => {
  expect(described("createThread").requestBody?.required).toBe(false);
  expect(described("createRun").requestBody?.required).toBe(true);
  expect(described("cancelRun").requestBody).toBeUndefined();
});

test("lists say their bounds and defaults, and all may filter or page as the app does", () => {
  const parameters = (name: string) =>
    Object.fromEntries((described(name).parameters ?? []).map((each) => [each.name, each.schema]));
  expect(parameters("listRuns")).toEqual({
    limit: { type: "integer", minimum: 1, maximum: 100, default: 20 },
    order: { type: "string", enum: ["asc", "desc"], default: "desc" },
    after: { type: "string" },
    before: { type: "string" },
  });
  expect(Object.keys(parameters("listMessages"))).toContain("run_id");
  const include = { "include[]": expect.objectContaining({ type: "array" }) };
  expect(parameters("watchRun")).toEqual({ ...include, after: { type: "integer", minimum: -1 } });
  expect(parameters("createRun")).toEqual(include);
});

describe("a request that the document allows is one that the app takes, and the other way round:", () => {
  const ASSISTANT = "asst_1";
  const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
  const message = { role: "user", content: "Hi" };
  const cases: [schema: string, zod: z.ZodType, allowed: boolean, request: object][] = [
    ["CreateAssistantRequest", createAssistantRequest, true, { model: "m" }],
    ["CreateAssistantRequest", createAssistantRequest, true, { model: "m", metadata: null, name: null }],
    ["CreateAssistantRequest", createAssistantRequest, true, { model: "m", metadata: pairs(16) }],
    ["CreateAssistantRequest", createAssistantRequest, false, { model: "m", metadata: pairs(17) }],
    ["CreateAssistantRequest", createAssistantRequest, false, { model: "m", metadata: { a: 1 } }],
    ["CreateAssistantRequest", createAssistantRequest, false, { model: "m", unknown: 1 }],
    ["CreateAssistantRequest", createAssistantRequest, false, {}],
    ["CreateAssistantRequest", createAssistantRequest, true, { model: "m", tools: [{ type: "file_search" }] }],
    ["CreateAssistantRequest", createAssistantRequest, false, { model: "m", tools: [{ type: "retrieval" }] }],
    ["CreateAssistantRequest", createAssistantRequest, true, { model: "m", response_format: "none" }],
    ["CreateAssistantRequest", createAssistantRequest, false, { model: "m", response_format: "text" }],
    ["CreateMessageRequest", createMessageRequest, true, message],
    ["CreateMessageRequest", createMessageRequest, true, { ...message, content: [{ type: "text", text: "Hi" }] }],
    ["CreateMessageRequest", createMessageRequest, false, { ...message, content: [] }],
    ["CreateMessageRequest", createMessageRequest, false, { ...message, role: "system" }],
    ["CreateMessageRequest", createMessageRequest, true, { ...message, attachments: [{ file_id: "file-1" }] }],
    ["CreateRunRequest", createRunRequest, true, { assistant_id: ASSISTANT, additional_messages: [message] }],
    ["CreateRunRequest", createRunRequest, false, { assistant_id: "run_1" }],
    ["CreateRunRequest", createRunRequest, false, { assistant_id: ASSISTANT, temperature: 2.1 }],
    ["CreateRunRequest", createRunRequest, false, { assistant_id: ASSISTANT, max_prompt_tokens: 0 }],
    ["CreateRunRequest", createRunRequest, false, { assistant_id: ASSISTANT, max_prompt_tokens: 1.5 }],
    ["CreateThreadAndRunRequest", createThreadAndRunRequest, true, { assistant_id: ASSISTANT, thread: {} }],
    ["CreateThreadAndRunRequest", createThreadAndRunRequest, false, { assistant_id: ASSISTANT, thread: { id: "x" } }],
  ];

  test.each(cases)("%s, %#", (schema, zod, allowed, request) => {
    expect(zod.safeParse(request).success).toBe(allowed);
    expect(complaint(schema, request) === undefined).toBe(allowed);
  });
});

test("what the app answers fits the schemas of the document", () => {
  const tools = [
    { type: "function", function: { name: "f" } },
    { type: "file_search" },
    { type: "code_interpreter" },
  ] as const;
  const made = newAssistant(createAssistantRequest.parse({ model: "m", tools }), "asst_1", CREATED);
  const run = newRun(createRunRequest.parse({ assistant_id: "asst_1" }), assistant(), "run_1", THREAD, CREATED);
  const message = newMessage(createMessageRequest.parse({ role: "user", content: "Hi" }), "msg_1", THREAD, CREATED);
  expect(complaint("Assistant", made)).toBeUndefined();
  expect(complaint("Run", run)).toBeUndefined();
  expect(complaint("ListMessagesResponse", listOf([message], true))).toBeUndefined();
  expect(complaint("ListMessagesResponse", listOf([], false))).toBeUndefined();
  expect(complaint("StreamEvent", { event: "thread.run.created", data: run })).toBeUndefined();
  expect(complaint("StreamEvent", { event: "thread.run.created", data: message })).toBeDefined();
  const { status: _status, ...incomplete } = run;
  expect(complaint("Run", incomplete)).toBeDefined();
});

test("a field that a later release adds to an answer breaks no client that checks against the document", () => {
  expect(complaint("Thread", { ...THREAD_OBJECT, later: true })).toBeUndefined();
});

const THREAD_OBJECT = { id: THREAD, object: "thread", created_at: CREATED, metadata: {}, tool_resources: {} };
