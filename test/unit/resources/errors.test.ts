import { describe, expect, test } from "vitest";
import * as errors from "../../../src/resources/errors.ts";

/** An error as a client sees it, with the words of the original (docs/contract.md 5). */
type Row = [error: errors.ApiError, status: number, message: string, param: string | null, code: string | null];

const MANY = Array.from({ length: 22 }, (_, number) => `file-${number}`);

const rows: Row[] = [
  [errors.filesNotFound(["file-a", "file-b"]), 404, "Files [file-a, file-b] were not found", null, null],
  [errors.filesNotFound(MANY), 404, `Files [${MANY.slice(0, 20).join(", ")}, and 2 more] were not found`, null, null],
  [errors.noThreadFound("thread_x"), 404, "No thread found with id 'thread_x'.", null, null],
  [errors.noAssistantFound("asst_x"), 404, "No assistant found with id 'asst_x'.", null, null],
  [errors.noMessageFound("msg_x"), 404, "No message found with id 'msg_x'.", null, null],
  [errors.noRunFound("run_x"), 404, "No run found with id 'run_x'.", null, null],
  [errors.noRunStepFound("step_123"), 404, "No run step found with id 'step_123'.", null, null],
  [errors.threadHasActiveRun("thread_x", "run_y"), 400, "Thread thread_x already has an active run run_y.", null, null],
  [
    errors.messagesLockedByRun("thread_x", "run_y"),
    400,
    "Can't add messages to thread_x while a run run_y is active.",
    null,
    null,
  ],
  [
    errors.runTakesNoOutputs("in_progress"),
    400,
    'Runs in status "in_progress" do not accept tool outputs.',
    null,
    null,
  ],
  [
    errors.expectedToolOutputs(["call_a", "call_b"], ["call_a"]),
    400,
    "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a']",
    null,
    null,
  ],
  [
    errors.expectedToolOutputs(["call_a"], []),
    400,
    "Expected tool outputs for call_ids ['call_a'], got []",
    null,
    null,
  ],
  [errors.cannotCancelRun("completed"), 400, "Cannot cancel run with status 'completed'.", null, null],
  [errors.cannotUpdateRun("in_progress"), 400, "Cannot update run with status 'in_progress'.", null, null],
  [
    errors.nothingToRun(),
    400,
    "Run creation requires a Thread with a user message or an assistant with instructions.",
    null,
    "invalid_thread",
  ],
  [errors.incorrectApiKey("sk-****"), 401, "Incorrect API key provided: sk-****.", null, "invalid_api_key"],
  [
    errors.tooLarge("content", 1_000_001, 1_000_000),
    400,
    "Invalid 'content': too large. Expected at most 1000000 bytes, but got 1000001 bytes instead.",
    "content",
    "above_max_size",
  ],
  [errors.invalidParameter("Bad.", "tools[0]", "invalid_value"), 400, "Bad.", "tools[0]", "invalid_value"],
];

describe("a client reads, word for word,", () => {
  test.each(rows)("$message", (error, status, message, param, code) => {
    expect(error.status).toBe(status);
    expect(error.body).toEqual({ error: { message, type: "invalid_request_error", param, code } });
    expect(error.message).toBe(message);
  });
});

describe("Azure's gateway speaks without type and param:", () => {
  test("a route or version that there is not", () => {
    expect(errors.routeNotFound().status).toBe(404);
    expect(errors.routeNotFound().body).toEqual({ error: { code: "404", message: "Resource not found" } });
  });

  test("too many requests, with the time to wait in both of the headers that the SDKs read", () => {
    const error = errors.overloaded(2);
    expect(error.status).toBe(429);
    expect(error.body).toEqual({ error: { code: "429", message: "Rate limit is exceeded. Try again in 2 seconds." } });
    expect(error.headers).toEqual({ "retry-after": "2", "retry-after-ms": "2000" });
  });
});

describe("about tokens, Azure's words stand in the form of the base:", () => {
  const invalid = "Unauthorized. Access token is missing, invalid, audience is incorrect (api://a), or have expired.";
  const denied = "Principal does not have access to API/Operation.";
  const inOpenAi = (message: string) => ({
    error: { message, type: "invalid_request_error", param: null, code: "invalid_api_key" },
  });

  test.each([
    [errors.invalidToken("api://a", true), { error: { code: "401", message: invalid } }],
    [errors.invalidToken("api://a", false), inOpenAi(invalid)],
    [errors.unknownCaller(true), { error: { code: "PermissionDenied", message: denied } }],
    [errors.unknownCaller(false), inOpenAi(denied)],
  ])("%s", ({ status, body }, expected) => {
    expect({ status, body }).toEqual({ status: 401, body: expected });
  });

  test("that they cannot be checked now is trouble, and clients ask again", () => {
    const { status, headers } = errors.tokensUncheckable(5);
    expect({ status, headers }).toEqual({ status: 503, headers: { "retry-after": "5", "retry-after-ms": "5000" } });
  });
});

test("no error has the status 409, which the SDKs would send again by themselves", () => {
  for (const [error] of rows) expect(error.status).not.toBe(409);
});

test("a body that is not JSON is told as the original tells it", () => {
  const { status, body } = errors.unparsableBody();
  expect(status).toBe(400);
  expect(body.error.message).toMatch(/^We could not parse the JSON body of your request\. /);
  expect(body.error).toMatchObject({ type: "invalid_request_error", param: null, code: null });
});

test("a body that is too large is told with the limit", () => {
  const { status, body } = errors.bodyTooLarge(1024);
  expect(status).toBe(413);
  expect(body.error.message).toContain("1024 bytes");
});

test("a fault of ours is told with the id of the request and nothing of what went wrong", () => {
  const { status, body } = errors.serverError("req_abc");
  expect(status).toBe(500);
  expect(body.error).toMatchObject({ type: "server_error", param: null, code: null });
  expect(body.error.message).toMatch(
    /^The server had an error processing your request\. Sorry about that! You can retry your request/,
  );
  expect(body.error.message).toContain("(Please include the request ID req_abc ");
});

test("a cursor that names nothing is told with its name and its id", () => {
  expect(errors.cursorNotFound("after", "msg_x").body.error).toEqual({
    message: "Invalid 'after': no object found with id 'msg_x'.",
    type: "invalid_request_error",
    param: "after",
    code: "invalid_value",
  });
});
