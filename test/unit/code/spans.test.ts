/** What telemetry hears of requests to a pool: what was asked and what came of it, and nothing that is secret. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DynamicSessions } from "../../../src/code/dynamic-sessions.ts";
import { type Attributes, type OpenSpan, type Recorder, recordWith } from "../../../src/telemetry/telemetry.ts";

const NEVER = new AbortController().signal;
const SECRET = "the-secret-identifier";

let server: Server;
const told: { name: string; kind: string; attributes: Attributes; failed: string[] }[] = [];

const noSpan: OpenSpan = { traceparent: undefined, set() {}, fail() {}, until() {}, end() {} };

/** Keeps the spans that it is told of. */
const recorder: Recorder = {
  async inSpan({ name, kind, attributes }, work) {
    const span = { name, kind, attributes: { ...attributes }, failed: [] as string[] };
    told.push(span);
    return work({
      ...noSpan,
      set: (more) => void Object.assign(span.attributes, more),
      fail: (type) => void span.failed.push(type),
    });
  },
  openSpan: () => noSpan,
  current: () => undefined,
  link() {},
  record() {},
  log() {},
};

beforeAll(async () => {
  server = createServer((request, response) => {
    response.writeHead(request.method === "GET" ? 404 : 503).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  recordWith(recorder);
});
afterAll(() => {
  recordWith(undefined);
  server.closeAllConnections();
  server.close();
});

test("each request is a span of a client, with its template and its status", async () => {
  const { port } = server.address() as AddressInfo;
  const code = { endpoint: `http://127.0.0.1:${port}/pool`, key: "the-secret-key", timeout: 60 };
  const sessions = new DynamicSessions({ code, managedIdentityClientId: undefined, hasIdentityEndpoint: false });
  const session = sessions.open({ id: SECRET });
  await session.read("of-a-user.csv", 10, NEVER);
  await session.run({ step: "1", id: "1", code: "1", timeout: 1 }, NEVER).catch(() => {});
  await session.discard();

  const about = { "server.address": "127.0.0.1", "server.port": port };
  const span = (method: string, template: string, status: number) => ({
    name: `${method} ${template}`,
    kind: "client",
    attributes: {
      ...about,
      "http.request.method": method,
      "url.template": template,
      "http.response.status_code": status,
    },
    failed: [String(status)],
  });
  expect(told).toEqual([
    span("GET", "/files/{name}/content", 404),
    span("POST", "/executions", 503),
    span("DELETE", "/session", 503),
  ]);
  expect(JSON.stringify(told)).not.toMatch(/secret|of-a-user/);
});
