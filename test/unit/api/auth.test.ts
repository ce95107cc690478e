import { describe, expect, test } from "vitest";
import { apiKeys, digestOf } from "../../../src/access-settings.ts";
import { Access, type Face } from "../../../src/api/auth.ts";
import { ApiError } from "../../../src/resources/errors.ts";
import { silentLog } from "../silent-log.ts";

const ACME = "acme-key-0123456789abcdef";
const GLOBEX = "globex-key-0123456789abcdef";
const ROTATED = "acme-key-to-rotate-to";

/** The setting as an operator writes it: the second key of acme as its digest. */
const accessWith = (text: string) => new Access({ apiKeys: apiKeys.parse(text), log: silentLog, now: Date.now });
const access = accessWith(`acme:${ACME},acme:sha256:${digestOf(ROTATED).toUpperCase()},globex:${GLOBEX}`);

const tenantOf = (headers: Record<string, string>, face: Face = "azure") => access.tenantOf(new Headers(headers), face);

async function refusal(headers: Record<string, string>, face: Face, known = access): Promise<ApiError> {
  try {
    await known.tenantOf(new Headers(headers), face);
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
    ["with the tenant's second key, of which the setting has the digest", { "api-key": ROTATED }],
    ["with both headers", { "api-key": ACME, authorization: "Bearer some-other-key-of-a-tenant" }],
  ])("%s", async (_, headers) => {
    expect(await tenantOf(headers, "azure")).toBe("acme");
    expect(await tenantOf(headers, "openai")).toBe("acme");
  });

  test("to its own tenant only", async () => {
    expect(await tenantOf({ "api-key": GLOBEX })).toBe("globex");
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
  ])("%s", async (_, headers) => {
    const { status, body } = await refusal(headers, "azure");
    expect(status).toBe(401);
    expect(body).toEqual(AZURE_REFUSAL);
  });
});

describe("under /v1 a refusal is that of OpenAI", () => {
  test("no key", async () => {
    const { status, body } = await refusal({}, "openai");
    expect(status).toBe(401);
    expect(body.error).toMatchObject({ type: "invalid_request_error", param: null, code: null });
    expect(body.error.message).toMatch(/^You didn't provide an API key\./);
  });

  test("an unknown key, shown so far that its owner knows it and others cannot use it", async () => {
    const { status, body } = await refusal({ authorization: "Bearer sk-anothers-secret-1234" }, "openai");
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

  test("a short unknown key, not shown at all", async () => {
    expect((await refusal({ authorization: "Bearer short-secret" }, "openai")).body.error.message).toBe(
      "Incorrect API key provided: ****.",
    );
  });
});

test("the digest of a key is no key", async () => {
  expect((await refusal({ "api-key": digestOf(ROTATED) }, "azure")).status).toBe(401);
  expect((await refusal({ "api-key": `sha256:${digestOf(ROTATED)}` }, "azure")).status).toBe(401);
});

test("without any key in the settings every request is refused", async () => {
  const none = accessWith("");
  expect((await refusal({}, "azure", none)).status).toBe(401);
  expect((await refusal({ "api-key": "" }, "openai", none)).status).toBe(401);
});

test("a token of Entra ID is an unknown key where the settings name no directory", async () => {
  const { body } = await refusal({ authorization: "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl" }, "azure");
  expect(body).toEqual(AZURE_REFUSAL);
});
