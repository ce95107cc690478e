import { APIConnectionError, APIConnectionTimeoutError, APIError } from "openai";
import { describe, expect, test } from "vitest";
import { modelTrouble } from "../../../src/model/trouble.ts";
import { ModelTimeout } from "../../../src/model/types.ts";

/** An error answer of a model, made into an error by the SDK itself. */
function answer(status: number, error: object, headers: Record<string, string> = {}) {
  return APIError.generate(status, { error }, undefined, new Headers(headers));
}

const troubleOf = (error: unknown) => modelTrouble(error, "gpt-4o");

const SORRY = { code: "server_error", message: "Sorry, something went wrong." };

describe("may be tried again, and the client reads only that something went wrong:", () => {
  test.each([408, 409, 425, 500, 502, 503, 504, 529])("status %i", (status) => {
    expect(troubleOf(answer(status, { message: "internal: host db-7 is down" }))).toEqual({
      error: SORRY,
      retryable: true,
      retryAfter: undefined,
    });
  });

  test.each([
    ["silence of the model", new ModelTimeout(60_000)],
    ["a connection that broke", new APIConnectionError({ message: "socket hang up" })],
    ["a connection that took too long", new APIConnectionTimeoutError({ message: "timed out" })],
    ["a connection that broke within the answer", new TypeError("terminated")],
    ["an answer that is not what it should be", new SyntaxError("Unexpected token <")],
    ["an error that comes in the stream", new APIError(undefined, { message: "overloaded" }, "overloaded", undefined)],
    ["something that is no error at all", "oops"],
  ])("%s", (_, error) => {
    expect(troubleOf(error)).toEqual({ error: SORRY, retryable: true, retryAfter: undefined });
  });
});

describe("is final:", () => {
  test.each([401, 403])("status %i, whose words are about the deployer's key", (status) => {
    expect(troubleOf(answer(status, { message: "Incorrect API key provided: sk-secret" }))).toEqual({
      error: SORRY,
      retryable: false,
      retryAfter: undefined,
    });
  });

  test("a model that there is not", () => {
    const error = { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." };
    expect(troubleOf(answer(404, error))).toEqual({
      error: { code: "invalid_engine_error", message: "Failed to resolve model info for: gpt-4o" },
      retryable: false,
      retryAfter: undefined,
    });
  });

  test.each([
    [400, { code: "context_length_exceeded" }, "invalid_prompt"],
    [400, {}, "invalid_prompt"],
    [413, {}, "invalid_prompt"],
    [422, {}, "invalid_prompt"],
    [400, { code: "content_filter" }, "content_filter"],
    [400, { code: "invalid_image_url" }, "invalid_image_url"],
  ])("status %i with %j becomes %s, in the model's own words", (status, fields, code) => {
    const message = "This model's maximum context length is 128000 tokens.";
    expect(troubleOf(answer(status, { ...fields, message }))).toEqual({
      error: { code, message },
      retryable: false,
      retryAfter: undefined,
    });
  });

  test("a quota that is used up", () => {
    const message = "You exceeded your current quota, please check your plan and billing details.";
    expect(troubleOf(answer(429, { code: "insufficient_quota", message }, { "retry-after": "1" }))).toEqual({
      error: { code: "rate_limit_exceeded", message },
      retryable: false,
      retryAfter: undefined,
    });
  });
});

describe("too many requests may be tried again", () => {
  const limited = (headers: Record<string, string> = {}) => troubleOf(answer(429, { message: "slow down" }, headers));
  const rateLimit = (seconds: number) => ({
    code: "rate_limit_exceeded",
    message: `Rate limit is exceeded. Try again in ${seconds} seconds.`,
  });

  test("in a minute if the model does not say when", () => {
    expect(limited()).toEqual({ error: rateLimit(60), retryable: true, retryAfter: undefined });
  });

  test.each([
    ["in seconds", { "retry-after": "7" }, 7_000, 7],
    ["in parts of a second", { "retry-after": "0.5" }, 500, 1],
    ["in milliseconds", { "retry-after-ms": "1250" }, 1_250, 2],
    ["in both: the finer one counts", { "retry-after": "7", "retry-after-ms": "6500" }, 6_500, 7],
    ["at once", { "retry-after": "0" }, 0, 1],
  ])("when it says %s", (_, headers, retryAfter, told) => {
    expect(limited(headers)).toEqual({ error: rateLimit(told), retryable: true, retryAfter });
  });

  test("when it says a date", () => {
    const { retryAfter } = limited({ "retry-after": new Date(Date.now() + 30_000).toUTCString() });
    expect(retryAfter).toBeGreaterThan(28_000);
    expect(retryAfter).toBeLessThanOrEqual(30_000);
  });

  test.each(["soon", "-5", "NaN", "Infinity", new Date(0).toUTCString()])(
    "by our own measure when it says %j",
    (text) => {
      expect(limited({ "retry-after": text }).retryAfter).toBeUndefined();
    },
  );
});

test("a model that is overloaded may say when to come back, too", () => {
  expect(troubleOf(answer(503, { message: "busy" }, { "retry-after": "3" })).retryAfter).toBe(3_000);
});

// An empty header reads as the number 0, and the model is called again at once.
test("an empty retry-after says nothing", () => {
  expect(troubleOf(answer(503, { message: "busy" }, { "retry-after": "" })).retryAfter).toBeUndefined();
});

test("a refusal that quotes a long prompt is cut to 2,000 characters, between characters", () => {
  const { message } = troubleOf(answer(400, { message: `a${"😀".repeat(5_000)}` })).error;
  expect(message.length).toBe(2_000);
  expect(message.isWellFormed()).toBe(true);
  expect(message.startsWith("a😀😀")).toBe(true);
});
