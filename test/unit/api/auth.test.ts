import { describe, expect, test } from "vitest";
import { type Face, Keys } from "../../../src/api/auth.ts";
import { ApiError } from "../../../src/resources/errors.ts";

const ACME = "acme-key-0123456789abcdef";
const GLOBEX = "globex-key-0123456789abcdef";
const keys = new Keys([
  { tenant: "acme", key: ACME },
  { tenant: "acme", key: "acme-key-to-rotate-to" },
  { tenant: "globex", key: GLOBEX },
]);

const tenantOf = (headers: Record<string, string>, face: Face = "azure") =>
  keys.authenticate(new Headers(headers), face);

function refusal(headers: Record<string, string>, face: Face, known = keys): ApiError {
  try {
    known.authenticate(new Headers(headers), face);
  } catch (error) {
    if (error instanceof ApiError) return error;
  }
  throw new Error("the caller was let in");
}

describe("a caller is let in", () => {
  test.each([
    ["with Azure's header", { "api-key": ACME }],
    ["with a bearer token", { authorization: `Bearer ${ACME}` }],
    ["with a bearer token however it is written", { authorization: `bearer   ${ACME} ` }],
    ["with the tenant's second key", { "api-key": "acme-key-to-rotate-to" }],
    ["with both headers", { "api-key": ACME, authorization: "Bearer some-other-key-of-a-tenant" }],
  ])("%s", (_, headers) => {
    expect(tenantOf(headers, "azure")).toBe("acme");
    expect(tenantOf(headers, "openai")).toBe("acme");
  });

  test("to its own tenant only", () => {
    expect(tenantOf({ "api-key": GLOBEX })).toBe("globex");
  });
});

const AZURE_REFUSAL = {
  error: {
    code: "401",
    message:
      "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
  },
};

describe("under /openai a refusal is that of Azure's gateway", () => {
  test.each([
    ["no key", {}],
    ["an unknown key", { "api-key": "not-a-key-of-any-tenant" }],
    ["an empty key", { "api-key": "" }],
    ["a key that is a part of one", { "api-key": ACME.slice(0, -1) }],
    ["a key with something behind it", { "api-key": `${ACME}x` }],
    ["a key in other letters", { "api-key": ACME.toUpperCase() }],
    ["another scheme", { authorization: `Basic ${ACME}` }],
    ["a token without a scheme", { authorization: ACME }],
    ["two tokens", { authorization: `Bearer ${ACME} ${ACME}` }],
  ])("%s", (_, headers) => {
    const { status, body } = refusal(headers, "azure");
    expect(status).toBe(401);
    expect(body).toEqual(AZURE_REFUSAL);
  });
});

describe("under /v1 a refusal is that of OpenAI", () => {
  test("no key", () => {
    const { status, body } = refusal({}, "openai");
    expect(status).toBe(401);
    expect(body.error).toMatchObject({ type: "invalid_request_error", param: null, code: null });
    expect(body.error.message).toMatch(/^You didn't provide an API key\./);
  });

  test("an unknown key, shown so far that its owner knows it and others cannot use it", () => {
    const { status, body } = refusal({ authorization: "Bearer sk-anothers-secret-1234" }, "openai");
    expect(status).toBe(401);
    expect(body).toEqual({
      error: {
        message: "Incorrect API key provided: sk-****1234.",
        type: "invalid_request_error",
        param: null,
        code: "invalid_api_key",
      },
    });
  });

  test("a short unknown key, not shown at all", () => {
    expect(refusal({ authorization: "Bearer short-secret" }, "openai").body.error.message).toBe(
      "Incorrect API key provided: ****.",
    );
  });
});

test("without any key in the settings every request is refused", () => {
  const none = new Keys([]);
  expect(refusal({}, "azure", none).status).toBe(401);
  expect(refusal({ "api-key": "" }, "openai", none).status).toBe(401);
});
