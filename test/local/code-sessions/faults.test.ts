/** The faults that tests inject into the local server of code sessions. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type CodeSessions, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { Caller, KEY, type Told } from "./caller.ts";

const LONGEST_PREPARATION = 180_000;
// A session begins within a second, or within ten on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 60_000 });
const identifier = "with-faults";
let server: CodeSessions;
let caller: Caller;

beforeAll(async () => {
  server = await startCodeSessions({ key: KEY, cache: CODE_CACHE, keepsSpare: false });
  caller = new Caller(server.endpoint);
  await server.prepare();
}, LONGEST_PREPARATION);
afterAll(() => server?.stop());

const inject = (rules: unknown) =>
  caller.send<unknown>("PUT", `${server.endpoint}/_local/faults`, { body: JSON.stringify(rules) });
const metadata = () => caller.send<{ error?: { code: string } } | string>("GET", caller.url("/metadata"));

test.each<[fault: string, status: number]>([
  ["404", 404],
  ["429", 429],
  ["500", 500],
  ["502-html", 502],
  ["503", 503],
  ["garbage", 200],
])("the fault %s strikes as often as it should", async (fault, status) => {
  await inject([{ fault, times: 1, ms: 3000 }]);
  const answer = await fetch(caller.url("/metadata"), { headers: { authorization: `Bearer ${KEY}` } });
  const text = await answer.text();
  expect(answer.status).toBe(status);
  if (fault === "429") expect(answer.headers.get("retry-after")).toBe("3");
  if (fault === "garbage") expect(() => JSON.parse(text)).toThrow();
  expect((await metadata()).status).toBe(200);
});

test("a fault strikes the operations and the session that it names", async () => {
  await inject([{ fault: "503", operations: ["session"], identifier: "other" }]);
  const statusOf = async (path: string, query: Record<string, string>) =>
    (await caller.send("GET", caller.url(path, query))).status;
  expect(await statusOf("/session", { identifier })).toBe(400);
  expect(await statusOf("/session", { identifier: "other" })).toBe(503);
  expect(await statusOf("/listSessions", {})).toBe(200);
});

test("an answer is lost after its work, as an error or with its connection", async () => {
  await inject([{ fault: "500", when: "after", operations: ["execute"], times: 1 }]);
  expect((await caller.execute(identifier, "x = 1")).status).toBe(500);
  await inject([{ fault: "cut-after", operations: ["execute"], times: 1 }]);
  await expect(caller.execute(identifier, "x += 1")).rejects.toThrow();
  await inject([{ fault: "cut-before", operations: ["execute"], times: 1 }]);
  await expect(caller.execute(identifier, "x += 1")).rejects.toThrow();
  expect(await caller.value(identifier, "x")).toBe(2);
});

test("a request that hangs is left open until its client goes", async () => {
  await inject([
    { fault: "hang", operations: ["metadata"], times: 1 },
    { fault: "latency", ms: 1, times: 1 },
  ]);
  await expect(caller.send("GET", caller.url("/metadata"), { signal: AbortSignal.timeout(300) })).rejects.toThrow();
  const list = await caller.send<{ fired: number }[]>("GET", `${server.endpoint}/_local/faults`);
  expect(list.body.map(({ fired }) => fired)).toEqual([1, 1]);
});

test.each([[{}], [[{ fault: "418" }]], [[{ fault: "500", often: 1 }]], [[{ fault: "500", operations: ["sleep"] }]]])(
  "rules such as %j are refused",
  async (rules) => {
    expect((await inject(rules)).status).toBe(400);
  },
);

test("without a rule nothing strikes", async () => {
  await inject([]);
  const { body } = await caller.send<Told>("GET", caller.url("/metadata"));
  expect(body).toHaveProperty("runtimes");
});
