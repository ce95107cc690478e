/** What clients send that is odd, or that this deployment cannot serve: refused in words that help, or taken whole. */
import { gzipSync } from "node:zlib";
import { describe, expect, inject, test } from "vitest";
import { type Answer, model, newTenant, POLL, question, refusal, refused, send } from "./harness.ts";

const WEATHER = { type: "function" as const, function: { name: "get_weather" } };
const pictureAt = (url: string) => ({ role: "user", content: [{ type: "image_url", image_url: { url } }] });

describe("an image's URL", () => {
  test.each([
    "not a url",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "ftp://pictures.example/cat.png",
    "http://",
    "https://",
    "//pictures.example/cat.png",
    "data:image/png;base64",
  ])("%j is refused: it would fail every run of its thread", async (url) => {
    const { status, body } = await newTenant().send("POST", "/threads", { messages: [pictureAt(url)] });
    const param = "messages[0].content[0].image_url.url";
    const message = `Invalid '${param}'. Expected a valid URL, but got a value with an invalid format.`;
    expect({ status, error: body }).toEqual(wrapped(refused(400, message, param, "invalid_value")));
  });

  test.each([
    "https://pictures.example/cat.png?size=1#eye",
    "http://127.0.0.1:8080/cat.png",
    "HTTPS://Pictures.Example/Katze mit Fisch.png",
    "https://bücher.example/bild.png",
    `data:image/png;base64,${"iVBORw0KGgo".repeat(20_000)}`,
    "data:;base64,AAAA",
  ])("%.60j is taken as it is", async (url) => {
    const { status, body } = await newTenant().send("POST", "/threads/runs", {
      assistant_id: "asst_none",
      thread: { messages: [pictureAt(url)] },
    });
    expect([status, body]).toEqual([404, expect.objectContaining({ error: expect.anything() })]);
  });
});

describe("an image by its file", () => {
  test("is refused where the message is created, if there is no such file", async () => {
    const { openai } = newTenant();
    const thread = await openai.beta.threads.create();
    const content = [{ type: "image_file" as const, image_file: { file_id: "file-cat" } }];
    expect(await refusal(openai.beta.threads.messages.create(thread.id, { role: "user", content }))).toEqual(
      refused(404, "Files [file-cat] were not found"),
    );
  });
});

describe("hosted tools", () => {
  const hosted = [{ type: "file_search" as const }, { type: "code_interpreter" as const }];

  test("beside functions, a required tool is one of the functions", async () => {
    const { openai } = newTenant();
    const { thread, run } = await question(openai, [
      { toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }] },
    ]);
    const request = { ...run, tools: [...hosted, WEATHER], tool_choice: "required" as const };
    expect((await openai.beta.threads.runs.createAndPoll(thread.id, request, POLL)).status).toBe("requires_action");
  });
});

describe("paths of what is not served", () => {
  const OTHERS =
    "Threadkeep serves the Assistants API only (assistants, threads, messages, runs, files, uploads, vector stores). " +
    "Ask the model's own endpoint for this.";
  const NO_BASE =
    "There is nothing at this path. A client's base URL ends in /v1 (OpenAI), or is this host without a path (Azure " +
    "OpenAI).";

  test.each([
    ["POST", "/v1/chat/completions", OTHERS],
    ["GET", "/v1/models", OTHERS],
    ["POST", "/v1/responses", OTHERS],
    ["POST", "/threads", NO_BASE],
    ["GET", "/assistants/asst_1", NO_BASE],
  ])("%s %s says so", async (method, path, message) => {
    const { status, body } = await send(path, { method });
    expect({ status, error: body }).toEqual(wrapped(refused(404, message, null, "not_served")));
  });

  test.each(["/v1/nowhere", "/v1/__proto__", "/v1/filesystem", "/v1", "/nowhere"])("%s is unknown", async (path) => {
    const { status, body } = await send(path, { method: "GET" });
    expect([status, body]).toEqual([404, { error: { code: "404", message: "Resource not found" } }]);
  });

  test("an upload gets its answer, however long it is", async () => {
    const form = new FormData();
    form.set("purpose", "assistants");
    form.set("file", new Blob([new Uint8Array(3_000_000)]), "cat.bin");
    const { status, body } = await send("/v1/audio/transcriptions", { method: "POST", body: form });
    expect({ status, error: body }).toEqual(wrapped(refused(404, OTHERS, null, "not_served")));
  });
});

test("a createThreadAndRun that is refused leaves no thread behind", async () => {
  const tenant = newTenant();
  const { openai } = tenant;
  const [mute, speaking] = await Promise.all([
    openai.beta.assistants.create({ model: model().name, instructions: "" }),
    openai.beta.assistants.create({ model: model().name, instructions: "Speak." }),
  ]);
  const nothing = refused(
    400,
    "Run creation requires a Thread with a user message or an assistant with instructions.",
    null,
    "invalid_thread",
  );
  const resources = { code_interpreter: { file_ids: ["file-none"] } };
  const without = { assistant_id: speaking.id, tool_resources: resources };
  const createAndRun = openai.beta.threads.createAndRun.bind(openai.beta.threads);
  for (const stream of [false, true]) {
    expect(await refusal(createAndRun({ assistant_id: mute.id, stream }))).toEqual(nothing);
    expect(await refusal(createAndRun({ assistant_id: mute.id, thread: { messages: [] }, stream }))).toEqual(nothing);
    const assistantsOnly = { messages: [{ role: "assistant" as const, content: "Hi" }] };
    expect(await refusal(createAndRun({ assistant_id: mute.id, thread: assistantsOnly, stream }))).toEqual(nothing);
    expect((await refusal(createAndRun({ ...without, stream }))).status).toBe(400);
    expect((await refusal(createAndRun({ assistant_id: "asst_none", stream }))).status).toBe(404);
  }
  const headers = { authorization: `Bearer ${tenant.key}` };
  // The list of threads is not in the oracle.
  const list = await fetch(`${inject("stack").origin}/api/projects/p/threads?api-version=v1`, { headers });
  expect(await list.json()).toMatchObject({ data: [] });
});

describe("metadata", () => {
  test("a key named __proto__ is refused wherever metadata are taken, never dropped", async () => {
    const tenant = newTenant();
    const { assistant, thread } = await question(tenant.openai, [{ text: "Well." }]);
    const metadata = '{"a":"b","__proto__":"x"}';
    const message = `{"role":"user","content":"Hi","metadata":${metadata}}`;
    for (const [path, param, body] of [
      ["/threads", "metadata", `{"metadata":${metadata}}`],
      [`/threads/${thread.id}`, "metadata", `{"metadata":${metadata}}`],
      ["/threads", "messages[0].metadata", `{"messages":[${message}]}`],
      [`/threads/${thread.id}/messages`, "metadata", message],
      ["/assistants", "metadata", `{"model":"m","metadata":${metadata}}`],
      [`/threads/${thread.id}/runs`, "metadata", `{"assistant_id":"${assistant.id}","metadata":${metadata}}`],
      [
        `/threads/${thread.id}/runs`,
        "additional_messages[0].metadata",
        `{"assistant_id":"${assistant.id}","additional_messages":[${message}]}`,
      ],
      ["/threads/runs", "thread.metadata", `{"assistant_id":"${assistant.id}","thread":{"metadata":${metadata}}}`],
      ["/threads", "metadata", '{"metadata":{"\\u005f_proto__":5}}'],
    ] as const) {
      const { status, body: answer } = await tenant.send("POST", path, body);
      const text = `Invalid '${param}': a property cannot be named '__proto__'.`;
      expect({ status, error: answer }).toEqual(wrapped(refused(400, text, `${param}.__proto__`, "invalid_value")));
    }
  });

  test("other objects refuse the name as an unknown parameter", async () => {
    const { status, body } = await newTenant().send("POST", "/threads", '{"__proto__":{"metadata":{}}}');
    expect({ status, error: body }).toEqual(
      wrapped(refused(400, "Unknown parameter: '__proto__'.", "__proto__", "unknown_parameter")),
    );
  });

  test("names of Object.prototype are keys like any other", async () => {
    const metadata = { constructor: "a", toString: "b", hasOwnProperty: "c" };
    const { body } = await newTenant().send("POST", "/threads", { metadata });
    expect(body).toMatchObject({ metadata });
  });
});

test("a property __proto__ within a function's JSON schema reaches the model", async () => {
  const tenant = newTenant();
  const { model: answering, thread, run } = await question(tenant.openai, [{ text: "Well." }]);
  const parameters = '{"type":"object","properties":{"__proto__":{"type":"string"}}}';
  const tools = `[{"type":"function","function":{"name":"f","parameters":${parameters}}}]`;
  const stream = `{"assistant_id":"${run.assistant_id}","tools":${tools},"stream":true}`;
  const response = await tenant.fetch(`${tenant.openai.baseURL}/threads/${thread.id}/runs`, {
    method: "POST",
    headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
    body: stream,
  });
  expect(await response.text()).toContain(`"parameters":${parameters}`);
  const [request] = await answering.requests();
  expect(JSON.stringify(request?.body)).toContain(parameters);
});

describe("limit", () => {
  test.each([
    ["101", "above maximum value. Expected a value <= 100, but got 101 instead.", "integer_above_max_value"],
    [
      "99999999999999999999",
      "above maximum value. Expected a value <= 100, but got 99999999999999999999 instead.",
      "integer_above_max_value",
    ],
    ["0", "below minimum value. Expected a value >= 1, but got 0 instead.", "integer_below_min_value"],
    [
      "-99999999999999999999",
      "below minimum value. Expected a value >= 1, but got -99999999999999999999 instead.",
      "integer_below_min_value",
    ],
  ])("%s is refused in the original's words", async (limit, text, code) => {
    const { status, body } = await newTenant().send("GET", `/assistants?limit=${limit}`);
    expect({ status, error: body }).toEqual(wrapped(refused(400, `Invalid 'limit': integer ${text}`, "limit", code)));
  });

  test("one with a thousand digits is above the maximum as well", async () => {
    const { status, body } = await newTenant().send("GET", `/assistants?limit=${"9".repeat(1000)}`);
    expect([status, body]).toMatchObject([400, { error: { code: "integer_above_max_value" } }]);
  });
});

test("file_search gets the empty list that code_interpreter gets", async () => {
  const tool_resources = { code_interpreter: {}, file_search: {} };
  const thread = await newTenant().openai.beta.threads.create({ tool_resources });
  expect(thread.tool_resources).toEqual({ code_interpreter: { file_ids: [] }, file_search: { vector_store_ids: [] } });
});

describe("a body", () => {
  const body = JSON.stringify({ metadata: { a: "b" } });
  const post = (headers: Record<string, string>, bytes: string | Uint8Array<ArrayBuffer>): Promise<Answer> =>
    send("/v1/threads", {
      method: "POST",
      headers: { authorization: `Bearer ${newTenant().key}`, "content-type": "application/json", ...headers },
      body: bytes,
    });

  test.each(["gzip", "deflate", "br", "GZIP, br"])("compressed with %s is refused as such", async (encoding) => {
    const answer = await post({ "content-encoding": encoding }, new Uint8Array(gzipSync(body)));
    const text = `The request body is compressed (content-encoding: ${encoding.toLowerCase()}). `;
    expect({ status: answer.status, error: answer.body }).toEqual(
      wrapped(refused(415, `${text}Send it as it is, without that header.`, null, "unsupported_content_encoding")),
    );
  });

  test("in UTF-16 is refused as such", async () => {
    const answer = await post(
      { "content-type": "application/json; charset=utf-16" },
      new Uint8Array(Buffer.from(body, "utf16le")),
    );
    expect({ status: answer.status, error: answer.body }).toEqual(
      wrapped(refused(415, "The request body is written in utf-16. Send it as UTF-8.", null, "unsupported_charset")),
    );
  });

  test.each([
    [{ "content-encoding": "identity" }],
    [{ "content-type": "application/json; charset=UTF-8" }],
    [{ "content-type": "text/plain" }],
    [{ "content-type": "application/vnd.api+json" }],
  ])("with %j is read", async (headers) => {
    expect((await post(headers, body)).body).toMatchObject({ metadata: { a: "b" } });
  });
});

test("an event is one line for clients that take U+2028, U+2029 and U+0085 for the end of one", async () => {
  const tenant = newTenant();
  const text = "one\u2028two\u2029three\u0085four";
  const { thread, run } = await question(tenant.openai, [{ text }], text);
  const response = await tenant.fetch(`${tenant.openai.baseURL}/threads/${thread.id}/runs`, {
    method: "POST",
    headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
    body: JSON.stringify({ ...run, instructions: text, stream: true }),
  });
  const raw = await response.text();
  expect(raw).toContain("one\\u2028two\\u2029three\\u0085four");
  expect(raw).not.toMatch(/[\u0085\u2028\u2029]/);
  const { data } = await tenant.openai.beta.threads.messages.list(thread.id, { limit: 1 });
  expect(data[0]?.content).toMatchObject([{ text: { value: text } }]);
});

test("a run cut off within a function call leaves its step cancelled: no output will complete it", async () => {
  const { openai } = newTenant();
  const { thread, run } = await question(openai, [
    { toolCalls: [{ id: "call_1", name: "get_weather", arguments: { city: "Oslo" } }], finishReason: "length" },
  ]);
  const ended = await openai.beta.threads.runs.createAndPoll(thread.id, { ...run, tools: [WEATHER] }, POLL);
  expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_completion_tokens" } });
  const { data } = await openai.beta.threads.runs.steps.list(ended.id, { thread_id: thread.id });
  expect(data).toMatchObject([{ status: "cancelled", completed_at: null, type: "tool_calls" }]);
});

/** The whole body of a refusal. */
function wrapped({ status, error }: { status: number | undefined; error: unknown }) {
  return { status, error: { error } };
}
