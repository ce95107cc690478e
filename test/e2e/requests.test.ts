/** What is wrong with a request is told word for word as the original told it (docs/contract.md 5). */
import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { newTenant, question, refused } from "./harness.ts";

interface BadRequest {
  what: string;
  path: string;
  body: unknown;
  message: string;
  param: string | null;
  code: string | null;
}

const ASSISTANTS = "/assistants";
const THREADS = "/threads";
const MESSAGES = "/threads/thread_none/messages";
const RUNS = "/threads/thread_none/runs";

const UNPARSABLE =
  "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library " +
  "correctly. The API expects a JSON payload, but what was sent was not valid JSON.)";

const missing = (path: string, param: string, body: unknown): BadRequest => ({
  what: `without ${param}`,
  path,
  body,
  message: `Missing required parameter: '${param}'.`,
  param,
  code: "missing_required_parameter",
});

const unknown = (path: string, param: string, body: unknown): BadRequest => ({
  what: `with the unknown ${param}`,
  path,
  body,
  message: `Unknown parameter: '${param}'.`,
  param,
  code: "unknown_parameter",
});

const wrongType = (path: string, param: string, body: unknown, expected: string, got: string): BadRequest => ({
  what: `with ${got} as ${param}`,
  path,
  body,
  message: `Invalid type for '${param}': expected ${expected}, but got ${got} instead.`,
  param,
  code: "invalid_type",
});

const wrongValue = (path: string, param: string, body: unknown, got: string, supported: string): BadRequest => ({
  what: `with ${got} as ${param}`,
  path,
  body,
  message: `Invalid value: '${got}'. Supported values are: ${supported}.`,
  param,
  code: "invalid_value",
});

const tooLong = (path: string, param: string, body: unknown, maximum: number): BadRequest => ({
  what: `with too long a ${param}`,
  path,
  body,
  message:
    `Invalid '${param}': string too long. Expected a string with maximum length ${maximum}, ` +
    `but got a string with length ${maximum + 1} instead.`,
  param,
  code: "string_above_max_length",
});

const message = { role: "user", content: "Hi" };
const ofType = (type: string) => ({ type });

const BAD_REQUESTS: BadRequest[] = [
  missing(ASSISTANTS, "model", {}),
  missing(ASSISTANTS, "tools[0].type", { model: "m", tools: [{}] }),
  missing(ASSISTANTS, "tools[0].function.name", { model: "m", tools: [{ type: "function", function: {} }] }),
  missing(MESSAGES, "role", { content: "Hi" }),
  missing(MESSAGES, "content", { role: "user" }),
  missing(THREADS, "messages[1].content", { messages: [message, { role: "user" }] }),
  missing(RUNS, "assistant_id", {}),
  missing(RUNS, "additional_messages[0].role", { assistant_id: "asst_1", additional_messages: [{ content: "Hi" }] }),

  unknown(ASSISTANTS, "file_ids", { model: "m", file_ids: [] }),
  unknown(THREADS, "message", { message: "Hi" }),
  unknown(MESSAGES, "tool_resources", { ...message, tool_resources: {} }),
  unknown(MESSAGES, "content[0].image_url.size", {
    role: "user",
    content: [{ type: "image_url", image_url: { url: "https://pictures.example/a.png", size: 3 } }],
  }),
  unknown(RUNS, "tool_resources", { assistant_id: "asst_1", tool_resources: {} }),

  wrongType(ASSISTANTS, "model", { model: 7 }, "a string", "an integer"),
  wrongType(ASSISTANTS, "temperature", { model: "m", temperature: "warm" }, "a decimal", "a string"),
  wrongType(ASSISTANTS, "tools", { model: "m", tools: {} }, "an array", "an object"),
  wrongType(THREADS, "messages", { messages: message }, "an array", "an object"),
  wrongType(MESSAGES, "role", { ...message, role: null }, "a string", "null"),
  wrongType(RUNS, "assistant_id", { assistant_id: 1.5 }, "a string", "a decimal"),
  wrongType(RUNS, "stream", { assistant_id: "asst_1", stream: "yes" }, "a boolean", "a string"),
  wrongType(RUNS, "max_prompt_tokens", { assistant_id: "asst_1", max_prompt_tokens: "9" }, "an integer", "a string"),
  wrongType(RUNS, "max_prompt_tokens", { assistant_id: "asst_1", max_prompt_tokens: 9.5 }, "an integer", "a decimal"),

  wrongValue(MESSAGES, "role", { ...message, role: "human" }, "human", "'user' and 'assistant'"),
  wrongValue(
    THREADS,
    "messages[0].role",
    { messages: [{ ...message, role: "system" }] },
    "system",
    "'user' and 'assistant'",
  ),
  wrongValue(
    ASSISTANTS,
    "tools[1].type",
    { model: "m", tools: [ofType("file_search"), ofType("retrieval")] },
    "retrieval",
    "'code_interpreter', 'function', and 'file_search'",
  ),
  wrongValue(
    MESSAGES,
    "content[0].type",
    { role: "user", content: [ofType("video")] },
    "video",
    "'text', 'image_url', and 'image_file'",
  ),

  tooLong(ASSISTANTS, "name", { model: "m", name: "n".repeat(257) }, 256),
  tooLong(ASSISTANTS, "description", { model: "m", description: "d".repeat(513) }, 512),
  tooLong(ASSISTANTS, "instructions", { model: "m", instructions: "i".repeat(256_001) }, 256_000),
  tooLong(MESSAGES, "content", { role: "user", content: "c".repeat(256_001) }, 256_000),

  {
    what: "with an empty text",
    path: MESSAGES,
    body: { role: "user", content: "" },
    message:
      "Invalid 'content': empty string. Expected a string with minimum length 1, but got an empty string instead.",
    param: "content",
    code: "empty_string",
  },
  {
    what: "with no parts of content",
    path: MESSAGES,
    body: { role: "user", content: [] },
    message: "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    param: "content",
    code: "empty_array",
  },
  {
    what: "with too high a temperature",
    path: ASSISTANTS,
    body: { model: "m", temperature: 3 },
    message: "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
    param: "temperature",
    code: "decimal_above_max_value",
  },
  {
    what: "with too low a top_p",
    path: RUNS,
    body: { assistant_id: "asst_1", top_p: -0.5 },
    message: "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -0.5 instead.",
    param: "top_p",
    code: "decimal_below_min_value",
  },
  {
    what: "with 129 tools",
    path: ASSISTANTS,
    body: { model: "m", tools: Array.from({ length: 129 }, () => ofType("code_interpreter")) },
    message:
      "Invalid 'tools': array too long. Expected an array with maximum length 128, " +
      "but got an array with length 129 instead.",
    param: "tools",
    code: "array_above_max_length",
  },
  {
    what: "with an id of another kind",
    path: RUNS,
    body: { assistant_id: "foo" },
    message: "Invalid 'assistant_id': 'foo'. Expected an ID that begins with 'asst'.",
    param: "assistant_id",
    code: "invalid_value",
  },
  {
    what: "with an id of impossible characters",
    path: RUNS,
    body: { assistant_id: "asst_a:7" },
    message:
      "Invalid 'assistant_id': 'asst_a:7'. Expected an ID that contains letters, numbers, underscores, or dashes, " +
      "but this value contained additional characters.",
    param: "assistant_id",
    code: "invalid_value",
  },
  { what: "that is no JSON", path: MESSAGES, body: '{"role": "user",', message: UNPARSABLE, param: null, code: null },
  { ...missing(MESSAGES, "role", ""), what: "with no body" },
];

test.for(BAD_REQUESTS)("a request $what is refused: POST $path", async ({ path, body, message, param, code }) => {
  const answer = await newTenantOnce().send("POST", path, body);

  const expected = refused(400, message, param, code);
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 400, body: { error: expected.error } });
});

/** Nothing is stored by these requests: one tenant will do for all. */
let tenant: ReturnType<typeof newTenant> | undefined;
function newTenantOnce() {
  tenant ??= newTenant();
  return tenant;
}

test.for([
  { path: "/assistants/foo", param: "assistant_id", prefix: "asst" },
  { path: "/threads/foo", param: "thread_id", prefix: "thread" },
  { path: "/threads/foo/messages", param: "thread_id", prefix: "thread" },
  { path: "/threads/thread_1/messages/foo", param: "message_id", prefix: "msg" },
  { path: "/threads/thread_1/runs/foo", param: "run_id", prefix: "run" },
  { path: "/threads/thread_1/runs/foo/steps", param: "run_id", prefix: "run" },
  { path: "/threads/thread_1/runs/run_1/steps/foo", param: "step_id", prefix: "step" },
])("an id with the wrong prefix is refused before anything is read: GET $path", async ({ path, param, prefix }) => {
  const { status, body } = await newTenantOnce().send("GET", path);

  const text = `Invalid '${param}': 'foo'. Expected an ID that begins with '${prefix}'.`;
  expect({ status, body }).toEqual({ status: 400, body: { error: refused(400, text, param, "invalid_value").error } });
});

test("ids that were never given out are not found, and the answer says which", async () => {
  const tenant = newTenant();
  const { thread, assistant } = await question(tenant.openai, []);
  const run = "run_none";
  const cases: [method: string, path: string, body: unknown, message: string][] = [
    ["GET", "/assistants/asst_none", undefined, "No assistant found with id 'asst_none'."],
    ["POST", "/assistants/asst_none", {}, "No assistant found with id 'asst_none'."],
    ["DELETE", "/assistants/asst_none", undefined, "No assistant found with id 'asst_none'."],
    ["GET", "/threads/thread_none", undefined, "No thread found with id 'thread_none'."],
    ["POST", "/threads/thread_none", {}, "No thread found with id 'thread_none'."],
    ["DELETE", "/threads/thread_none", undefined, "No thread found with id 'thread_none'."],
    ["GET", MESSAGES, undefined, "No thread found with id 'thread_none'."],
    ["POST", MESSAGES, message, "No thread found with id 'thread_none'."],
    ["GET", `${MESSAGES}/msg_none`, undefined, "No thread found with id 'thread_none'."],
    ["GET", `/threads/${thread.id}/messages/msg_none`, undefined, "No message found with id 'msg_none'."],
    ["POST", `/threads/${thread.id}/messages/msg_none`, {}, "No message found with id 'msg_none'."],
    ["DELETE", `/threads/${thread.id}/messages/msg_none`, undefined, "No message found with id 'msg_none'."],
    ["GET", RUNS, undefined, "No thread found with id 'thread_none'."],
    ["POST", RUNS, { assistant_id: assistant.id }, "No thread found with id 'thread_none'."],
    ["POST", `/threads/${thread.id}/runs`, { assistant_id: "asst_none" }, "No assistant found with id 'asst_none'."],
    ["GET", `/threads/${thread.id}/runs/${run}`, undefined, "No run found with id 'run_none'."],
    ["GET", `/threads/${thread.id}/runs/${run}/steps`, undefined, "No run found with id 'run_none'."],
    ["GET", `/threads/${thread.id}/runs/${run}/steps/step_none`, undefined, "No run found with id 'run_none'."],
    ["GET", `${RUNS}/${run}/steps/step_none`, undefined, "No thread found with id 'thread_none'."],
  ];

  for (const [method, path, body, text] of cases) {
    const answer = await tenant.send(method, path, body);
    const expected = { status: 404, body: { error: refused(404, text).error } };
    expect({ method, path, status: answer.status, body: answer.body }).toEqual({ method, path, ...expected });
  }
});

// It takes the ten seconds that the app waits for the request's invocation.
test("a request with the header by which the Functions host finds invocations is refused instead of never answered", async () => {
  const { key } = newTenant();
  const headers = { authorization: `Bearer ${key}`, "x-ms-invocation-id": randomUUID() };
  const response = await fetch(`${inject("stack").origin}/v1/assistants`, { headers });
  const text = "The header 'x-ms-invocation-id' is reserved for the service. Send the request without it.";
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: refused(400, text).error });
});
