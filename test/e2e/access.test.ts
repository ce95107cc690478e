import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { API_VERSION, gatewayRefused, newTenant, refused, send } from "./harness.ts";

const ACCESS_DENIED = gatewayRefused(
  401,
  "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an " +
    "active subscription and use a correct regional API endpoint for your resource.",
);
const NOT_FOUND = gatewayRefused(404, "Resource not found");

const azure = `/openai/assistants?api-version=${API_VERSION}`;

test.for([
  { what: "no key", headers: {} },
  { what: "an unknown key", headers: { "api-key": "0123456789abcdef0123" } },
  { what: "an unknown token", headers: { authorization: "Bearer 0123456789abcdef0123" } },
  { what: "an empty key", headers: { "api-key": "" } },
])("in Azure's form, $what gets the gateway's 401", async ({ headers }) => {
  const { status, body } = await send(azure, { headers });

  expect({ status, body }).toEqual({ status: 401, body: { error: ACCESS_DENIED.error } });
});

test("in OpenAI's form, a wrong key is told in part, so that its owner knows which one it was", async () => {
  const headers = { authorization: "Bearer sk-0123456789abcdef" };

  const { status, body } = await send("/v1/assistants", { headers });

  const { error } = refused(401, "Incorrect API key provided: sk-****cdef.", null, "invalid_api_key");
  expect({ status, body }).toEqual({ status: 401, body: { error } });
});

test("in OpenAI's form, no key at all is told so", async () => {
  const { status, body } = await send("/v1/assistants", {});

  const message =
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
    "(i.e. Authorization: Bearer YOUR_KEY).";
  expect({ status, body }).toEqual({ status: 401, body: { error: refused(401, message).error } });
});

test("either form takes the key in either header", async () => {
  const { key } = newTenant();

  for (const path of ["/v1/assistants", azure]) {
    for (const headers of [{ "api-key": key }, { authorization: `Bearer ${key}` }]) {
      expect((await send(path, { headers })).status).toBe(200);
    }
  }
});

test.for(["2024-05-01-preview", "2024-08-01-preview", "2025-04-01-preview", "v1", "preview", "latest"])(
  "Azure's form takes api-version %s",
  async (version) => {
    const { key } = newTenant();

    const { status } = await send(`/openai/assistants?api-version=${version}`, { headers: { "api-key": key } });

    expect(status).toBe(200);
  },
);

test.for([
  { what: "no api-version", path: "/openai/assistants" },
  { what: "an empty api-version", path: "/openai/assistants?api-version=" },
  { what: "an api-version that never was", path: "/openai/assistants?api-version=tomorrow" },
  { what: "an api-version before there were assistants", path: "/openai/assistants?api-version=2023-05-15" },
  { what: "an unknown path", path: `/openai/nothing?api-version=${API_VERSION}` },
  { what: "an unknown path in OpenAI's form", path: "/v1/nothing" },
  { what: "a deployment's path", path: `/openai/deployments/gpt-4o/threads?api-version=${API_VERSION}` },
  { what: "a path of no API", path: "/" },
])("$what is not found", async ({ path }) => {
  const { key } = newTenant();

  const { status, body } = await send(path, { headers: { "api-key": key } });

  expect({ status, body }).toEqual({ status: 404, body: { error: NOT_FOUND.error } });
});

test("a method that a path does not have is not found", async () => {
  const { status, body } = await newTenant().send("PUT", "/threads/thread_1", {});

  expect({ status, body }).toEqual({ status: 404, body: { error: NOT_FOUND.error } });
});

test("every answer in OpenAI's form carries OpenAI's headers, errors too", async () => {
  const tenant = newTenant();
  const answers = [await tenant.send("GET", "/assistants"), await tenant.send("GET", "/assistants/asst_none")];

  for (const { headers } of answers) {
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    expect(headers.get("openai-version")).toBe("2020-10-01");
    expect(headers.get("openai-processing-ms")).toMatch(/^\d+$/);
    expect(headers.get("apim-request-id")).toBeNull();
  }
  expect(answers[0]?.headers.get("x-request-id")).not.toBe(answers[1]?.headers.get("x-request-id"));
});

test("every answer in Azure's form carries one request id in both of Azure's headers, errors too", async () => {
  const { key } = newTenant();
  const headers = { "api-key": key };
  const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

  for (const answer of [await send(azure, { headers }), await send(azure, {}), await send("/openai/x", { headers })]) {
    const id = answer.headers.get("x-request-id");
    expect(id).toMatch(guid);
    expect(answer.headers.get("apim-request-id")).toBe(id);
    expect(answer.headers.get("openai-version")).toBe("2020-10-01");
    expect(answer.headers.get("openai-processing-ms")).toMatch(/^\d+$/);
  }
});

test("a client's own request id does not confuse ours", async () => {
  const { key } = newTenant();
  const own = randomUUID();

  const { headers } = await send(azure, { headers: { "api-key": key, "x-ms-client-request-id": own } });

  expect(headers.get("x-request-id")).not.toBe(own);
});

test("the client's library shows the request id of an object", async () => {
  const { openai } = newTenant();

  const thread = await openai.beta.threads.create();

  expect(thread._request_id).toMatch(/^req_/);
});

test("anyone may ask whether the app is healthy", async () => {
  const response = await fetch(`${inject("stack").origin}/healthz`);

  expect(response.status).toBe(200);
});
