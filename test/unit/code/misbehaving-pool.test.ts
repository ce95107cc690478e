/** A pool that answers late, half, wrongly or not at all: every call ends by itself, and says what to do. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerKey } from "../../../src/code/driver.ts";
import { DynamicSessions } from "../../../src/code/dynamic-sessions.ts";
import type { CodeTrouble, SessionFile } from "../../../src/code/session.ts";

type Behaviour = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

const IDENTIFIER = "0123456789abcdef-the-secret";
const NEVER = new AbortController().signal;
/** Milliseconds. The shorter one for those that wait for nothing. */
const LITTLE = 400;
const MUCH = 10_000;

let server: Server;
let elsewhere: Server;
let behaviour: Behaviour = () => {};
/** `METHOD /path` of each request, in their order */
let asked: string[] = [];
let headers: IncomingMessage["headers"] = {};
let visits = 0;
beforeAll(async () => {
  server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url?.split("?")[0]}`);
    headers = request.headers;
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return;
    }
    behaviour(request, response, Buffer.concat(pieces));
  });
  elsewhere = createServer((_, response) => {
    visits += 1;
    response.end("{}");
  });
  for (const each of [server, elsewhere]) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  for (const each of [server, elsewhere]) {
    each.closeAllConnections();
    each.close();
  }
});

const portOf = (of: Server) => (of.address() as AddressInfo).port;
const elsewhereUrl = () => `http://127.0.0.1:${portOf(elsewhere)}/files`;

function opened(next: Behaviour, patience = MUCH, running = 0) {
  behaviour = next;
  asked = [];
  visits = 0;
  const code = { endpoint: `http://127.0.0.1:${portOf(server)}/subscriptions/s/pools/p/`, key: "the-key", timeout: 60 };
  const sessions = new DynamicSessions(
    { code, managedIdentityClientId: undefined, hasIdentityEndpoint: false },
    { allowance: patience - 1_000, usual: patience, running, metadata: patience, discard: patience },
  );
  return { sessions, session: sessions.open({ id: IDENTIFIER }) };
}

const json =
  (value: unknown, status = 200) =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
const status =
  (code: number, more: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(code, more).end(JSON.stringify({ error: { code: "SomeCode", message: `of ${IDENTIFIER}` } }));
  };

const CALL = { step: "step", id: "call", code: "1 + 1", timeout: 1 };
const KEY = ledgerKey(CALL);
const RESULT = { call: KEY, logs: "2", images: [], files: [], failed: false, fresh: true, repeated: false, ms: 3 };
const executed = (stdout: string, more: object = {}) => json({ status: "Succeeded", result: { stdout }, ...more });

async function trouble(work: Promise<unknown>): Promise<CodeTrouble> {
  const error = await work.then(
    (value) => expect.unreachable(`it worked: ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  expect(error).toMatchObject({ name: "CodeTrouble" });
  // Neither the session's id nor the key may get into a log.
  expect(JSON.stringify([error.message, error.details])).not.toMatch(/the-secret|the-key/);
  return error;
}

const file = (path: string, bytes = 3, more: Partial<SessionFile> = {}): SessionFile => ({
  path,
  bytes,
  async open() {
    return (async function* () {
      yield Buffer.alloc(bytes, "x");
    })();
  },
  ...more,
});

/** What a pool may do to any request; whether the same may work later. */
const MISDEEDS: [what: string, behaviour: Behaviour, retryable: boolean, details?: object][] = [
  ["says nothing", () => {}, true, { reason: "no answer in time" }],
  ["cuts the connection", (request) => request.socket.destroy(), true, { cause: "UND_ERR_SOCKET" }],
  ["resets the connection", (request) => request.socket.resetAndDestroy(), true, { cause: "ECONNRESET" }],
  [
    "stops within its answer",
    (_, response) => void response.writeHead(200, { "content-length": "100" }).write('{"status"'),
    true,
    { reason: "no answer in time" },
  ],
  [
    "ends within its answer",
    (request, response) => {
      response.writeHead(200, { "content-length": "100" }).write('{"status"', () => request.socket.destroy());
    },
    true,
  ],
  [
    "sends a letter at a time",
    (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    },
    true,
  ],
  ["answers with a web page", (_, response) => response.writeHead(200).end("<html>"), true, { status: 200 }],
  ["answers with nothing", (_, response) => response.writeHead(200).end(), true, { status: 200 }],
  ["answers with another object", json({ surprise: true }), true, { status: 200 }],
  ["answers with a list", json([]), true, { status: 200 }],
  ["answers with null", json(null), true, { status: 200 }],
  [
    "answers without end",
    (_, response) => {
      response.writeHead(200);
      const fill = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, " ")));
      };
      response.on("drain", fill);
      fill();
    },
    true,
  ],
  ["breaks the protocol", (request) => void request.socket.end("HTTP/1.1 what\r\n\r\n"), true],
  ["is full", status(404), true, { status: 404, code: "SomeCode", hint: expect.stringContaining("full") }],
  ["is in trouble", status(500), true, { status: 500 }],
  ["has a gateway in trouble", status(502), true, { status: 502 }],
  ["is unavailable", status(503), true, { status: 503 }],
  ["times out", status(504), true, { status: 504 }],
  ["does not know its caller", status(401), false, { hint: expect.stringContaining("Session Executor") }],
  ["forbids", status(403), false, { hint: expect.stringContaining("Session Executor") }],
  ["refuses the request", status(400), false, { status: 400 }],
  [
    "redirects",
    (request, response) => status(302, { location: elsewhereUrl() })(request, response),
    false,
    { status: 302 },
  ],
  [
    "redirects for good",
    (request, response) => status(308, { location: elsewhereUrl() })(request, response),
    false,
    { status: 308 },
  ],
];

test.each(MISDEEDS)("an execution whose pool %s is trouble", async (_, misdeed, retryable, details = {}) => {
  const { session } = opened(misdeed, LITTLE);
  const error = await trouble(session.run(CALL, NEVER));
  expect(error).toMatchObject({ retryable, details: { request: "POST /executions", ...details } });
  expect(visits).toBe(0);
});

test.each(MISDEEDS)("a listing whose pool %s is trouble", async (_, misdeed, retryable, details = {}) => {
  const { session } = opened(misdeed, LITTLE);
  const error = await trouble(session.prepare([file("f")], NEVER));
  expect(error).toMatchObject({ retryable, details: { request: "GET /files", ...details } });
  expect(visits).toBe(0);
});

test.each(MISDEEDS)("no misdeed makes anything of the libraries or of the end of a session: %s", async (_, misdeed) => {
  const { sessions, session } = opened(misdeed, LITTLE);
  expect(await sessions.packages()).toBeUndefined();
  await session.discard();
});

test.each([
  ["5", 5_000],
  ["0", 0],
  ["999999", 600_000],
  ["soon", undefined],
  [undefined, undefined],
])("a busy pool says how long to wait: %s", async (given, retryAfter) => {
  const { session } = opened(status(429, given === undefined ? {} : { "retry-after": given }));
  expect(await trouble(session.run(CALL, NEVER))).toMatchObject({ retryable: true, retryAfter });
});

test("a busy pool may name a time, too", async () => {
  const { session } = opened(status(429, { "retry-after": new Date(Date.now() + 30_000).toUTCString() }));
  const { retryAfter = 0 } = await trouble(session.run(CALL, NEVER));
  expect(retryAfter).toBeGreaterThan(20_000);
  expect(retryAfter).toBeLessThanOrEqual(30_000);
});

test("a pool that is not there is trouble", async () => {
  const unused = createServer();
  await new Promise<void>((resolve) => unused.listen(0, "127.0.0.1", resolve));
  const port = portOf(unused);
  await new Promise((resolve) => unused.close(resolve));
  const code = { endpoint: `http://127.0.0.1:${port}`, key: "the-key", timeout: 60 };
  const sessions = new DynamicSessions({ code, managedIdentityClientId: undefined, hasIdentityEndpoint: false });
  const error = await trouble(sessions.open({ id: IDENTIFIER }).run(CALL, NEVER));
  expect(error).toMatchObject({ retryable: true, details: { cause: "ECONNREFUSED" } });
});

test("a connection that is cut once is not noticed", async () => {
  let cuts = 0;
  const { session } = opened((request, response) => {
    if (cuts++ === 0) request.socket.destroy();
    else executed(JSON.stringify(RESULT))(request, response);
  });
  expect(await session.run(CALL, NEVER)).toMatchObject({ kind: "done", logs: "2" });
  expect(asked.length).toBe(2);
});

test.each<[what: string, outcome: object, end: object]>([
  [
    "Azure's words for a timeout",
    { stderr: "Request timed out waiting for code execution to complete after 60 seconds" },
    { kind: "timeout" },
  ],
  ["Azure's words for a kernel that died", { stderr: "Kernel restarted" }, { kind: "died", reason: "memory" }],
  ["no words", { stderr: "" }, { kind: "died", reason: "crash" }],
])("an execution that fails with %s ends its session", async (_, result, end) => {
  const { session } = opened((request, response) => {
    if (request.method === "POST") json({ status: "Failed", result: { stdout: "", ...result } })(request, response);
    else status(404)(request, response);
  });
  expect(await session.run(CALL, NEVER)).toEqual(end);
  expect(asked.at(-1)).toBe("DELETE /subscriptions/s/pools/p/session");
});

test("a listing may have to wait for the code of a driver that is gone", async () => {
  const late: Behaviour = (request, response) =>
    void setTimeout(() => json({ value: [] })(request, response), 2 * LITTLE);
  expect(await opened(late, LITTLE, MUCH).session.prepare([], NEVER)).toMatchObject({ fresh: true });
});

test("an execution that was aborted behind another one is trouble that passes", async () => {
  const { session } = opened(json({ status: "Failed", result: { stderr: "Execution aborted" } }));
  expect(await trouble(session.run(CALL, NEVER))).toMatchObject({ retryable: true });
});

test("a result that did not fit into the answer is read from the session", async () => {
  const { session } = opened((request, response) => {
    if (request.method === "POST") return executed("cut off")(request, response);
    response.end(JSON.stringify({ ...RESULT, logs: "from the ledger" }));
  });
  expect(await session.run(CALL, NEVER)).toMatchObject({ logs: "from the ledger" });
  expect(asked[1]).toBe(`GET /subscriptions/s/pools/p/files/${KEY}.json/content`);
});

test("a million characters are logs, whatever they are; half of one is none", async () => {
  const logs = "🌮".repeat(1_000_000);
  const { session } = opened((request, response) => {
    if (request.method === "POST") return executed("cut off")(request, response);
    response.end(JSON.stringify({ ...RESULT, logs: `${logs}\ud800` }));
  });
  const result = await session.run(CALL, NEVER);
  expect(result.kind === "done" && result.logs === `${logs}\ufffd`).toBe(true);
});

test.each<[what: string, change: object]>([
  ["another call's", { call: "another" }],
  ["logs without end", { logs: "x".repeat(2_000_200) }],
  ["logs that are none", { logs: 5 }],
  ["a hundred images", { images: Array.from({ length: 100 }, () => "_threadkeep/x.png") }],
  ["files of negative size", { files: [{ path: "x", size: -1 }] }],
  ["more files than there may be", { files: Array.from({ length: 1_001 }, () => ({ path: "x", size: 1 })) }],
  ["no time", { ms: null }],
])("a forged result is none: %s", async (_, change) => {
  const { session } = opened((request, response) => {
    const forged = JSON.stringify({ ...RESULT, ...change });
    if (request.method === "POST") return executed(forged.slice(0, 500_000))(request, response);
    response.end(forged);
  });
  expect(await session.run(CALL, NEVER)).toEqual({ kind: "died", reason: "crash" });
});

test("paths that leave the session's folder, or are none that a request can name, are left out of a result", async () => {
  const paths = ["ok.txt", "../up", "/etc/passwd", "a/../b", ".", "a//b", "out/ok", "half\ud800", "a\nb", "nul\0"];
  const files = paths.map((path) => ({ path, size: 1 }));
  const images = ["_threadkeep/a.png", "../a.png", "other/a.png", "_threadkeep/../../a.png", "_threadkeep/\ud800.png"];
  const elsewhere = ["../up", "/x"].map((at) => ({ path: "x", size: 1, at }));
  const result = { ...RESULT, files: [...files, ...elsewhere], images };
  const { session } = opened(executed(`noise\n${JSON.stringify(result)}\n`));
  expect(await session.run(CALL, NEVER)).toMatchObject({
    files: [{ path: "ok.txt" }, { path: "out/ok" }],
    images: ["_threadkeep/a.png"],
  });
});

test("a file whose name is none for the pool is read where the driver has put it", async () => {
  const files = [{ path: "it's.csv", size: 1, at: "_threadkeep/k-file-0" }];
  const { session } = opened((request, response) => {
    if (request.method === "POST") executed(JSON.stringify({ ...RESULT, files }))(request, response);
    else response.end("x");
  });
  expect(await session.run(CALL, NEVER)).toMatchObject({ files: [{ path: "it's.csv", size: 1 }] });
  await session.read("it's.csv", 10, NEVER);
  expect(asked[1]).toBe("GET /subscriptions/s/pools/p/files/k-file-0/content");
});

test("pages of a listing are followed on the pool's own server, and not without end", async () => {
  const own = (n: number) => `http://127.0.0.1:${portOf(server)}/subscriptions/s/pools/p/files?skip=${n}`;
  const names = ["f1", "_threadkeep", "f3"];
  let page = 0;
  const { session } = opened((request, response) => {
    page += 1;
    const value = [{ name: names[page - 1], type: "File" }];
    json({ value, nextLink: page < 3 ? own(page) : null })(request, response);
  });
  expect(await session.prepare([file("f1"), file("f3"), file("f4", 3, { restored: true })], NEVER)).toMatchObject({
    fresh: false,
  });
  expect(asked.length).toBe(3);

  const endless = opened((request, response) => {
    json(request.method === "GET" ? { value: [], nextLink: own(1) } : {})(request, response);
  });
  expect(await endless.session.prepare([], NEVER)).toMatchObject({ fresh: true });
  expect(asked.length).toBe(100);

  const foreign = opened((request, response) => json({ value: [], nextLink: elsewhereUrl() })(request, response));
  expect(await trouble(foreign.session.prepare([], NEVER))).toMatchObject({ retryable: true });
  expect(visits).toBe(0);
});

test("an upload is one part, whose bytes pass through; four are under way at the most", async () => {
  const bodies: Buffer[] = [];
  let open = 0;
  let most = 0;
  const { session } = opened((request, response, body) => {
    if (request.method === "GET") return json({ value: [] })(request, response);
    open += 1;
    most = Math.max(most, open);
    bodies.push(body);
    setTimeout(() => {
      open -= 1;
      json({})(request, response);
    }, 20);
  });
  await session.prepare(
    Array.from({ length: 10 }, (_, n) => file(`f${n}`, 1_000)),
    NEVER,
  );
  expect(most).toBe(4);
  const [body = Buffer.of()] = bodies;
  const [, boundary = ""] = /boundary=(.+)/.exec(headers["content-type"] ?? "") ?? [];
  expect(body.toString().replaceAll(/threadkeep-[\w-]{24}/g, "B")).toBe(
    '--B\r\nContent-Disposition: form-data; name="file"; filename="f0"\r\n' +
      `Content-Type: application/octet-stream\r\n\r\n${"x".repeat(1_000)}\r\n--B--\r\n`,
  );
  expect(boundary.length).toBeGreaterThan(20);
  expect(headers["content-length"]).toBe(String(body.length));
});

test("files beyond the limits of a session are told, and not opened", async () => {
  const { session } = opened((request, response) => {
    if (request.method === "GET") return json({ value: [] })(request, response);
    status(413)(request, response);
  });
  const unopened = (path: string, bytes: number) => file(path, bytes, { open: () => expect.unreachable("opened") });
  const MB = 1_048_576;
  const large = [unopened("large", 128 * MB), unopened("larger", 10_000 * MB), file("refused", 9)];
  expect((await session.prepare(large, NEVER)).tooLarge).toEqual(["large", "larger", "refused"]);

  const full = opened(json({ value: Array.from({ length: 10 }, (_, n) => ({ name: `f${n}`, type: "file" })) }));
  const many = Array.from({ length: 12 }, (_, n) => unopened(`f${n}`, 100 * MB));
  expect((await full.session.prepare(many, NEVER)).tooLarge).toEqual(["f10", "f11"]);
});

test("a file that is gone is told; what its stream throws is thrown, and ends the other uploads", async () => {
  const { session } = opened((request, response) => {
    if (request.method === "GET") json({ value: [] })(request, response);
    else json({})(request, response);
  });
  const gone = file("gone", 3, { open: async () => undefined });
  expect(await session.prepare([gone, file("there")], NEVER)).toEqual({ fresh: true, tooLarge: [], missing: ["gone"] });

  class BlobTrouble extends Error {}
  const broken = file("broken", 10, {
    async open() {
      return (async function* () {
        yield Buffer.alloc(5);
        throw new BlobTrouble();
      })();
    },
  });
  let isStopped = false;
  const endless = file("endless", 100_000_000, {
    async open(signal) {
      return (async function* () {
        while (!signal.aborted) {
          yield Buffer.alloc(10);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        isStopped = true;
      })();
    },
  });
  await expect(session.prepare([endless, broken], NEVER)).rejects.toBeInstanceOf(BlobTrouble);
  await expect.poll(() => isStopped).toBe(true);
});

test("a file that has other bytes by now, and one whose name the pool refuses, are told, and keep no code from running", async () => {
  for (const bytes of [2, 4]) {
    const { session } = opened(json({ value: [] }));
    const wrong = file("wrong", 3, { open: () => file("wrong", bytes).open(NEVER) });
    expect(await session.prepare([wrong], NEVER)).toMatchObject({ missing: ["wrong"] });
  }
  const refusing: Behaviour = (request, response) =>
    request.method === "GET" ? json({ value: [] })(request, response) : status(400)(request, response);
  const written = file("name. ", 3, { restored: true });
  expect(await opened(refusing).session.prepare([written], NEVER)).toMatchObject({ missing: ["name. "] });
  // Names of uploads are our own: a pool that refuses those takes no request of ours.
  expect(await trouble(opened(refusing).session.prepare([file("file-abc")], NEVER))).toMatchObject({
    retryable: false,
  });
});

test("a signal ends every wait at once, with its reason", async () => {
  const { session } = opened(() => {});
  const works = (signal: AbortSignal): Promise<unknown>[] => [
    session.run({ ...CALL, timeout: 200 }, signal),
    session.prepare([], signal),
    session.read("x", 10, signal),
  ];
  const stop = new AbortController();
  const running = works(stop.signal).map((work) => expect(work).rejects.toThrow("enough"));
  const paths = ["POST P/executions", "GET P/files", "GET P/files/x/content"];
  await expect
    .poll(() => asked.map((each) => each.replace("/subscriptions/s/pools/p", "P")))
    .toEqual(expect.arrayContaining(paths));
  stop.abort(new Error("enough"));
  await Promise.all(running);
  const before = asked.length;
  await Promise.all(works(stop.signal).map((work) => expect(work).rejects.toThrow("enough")));
  expect(asked.length).toBe(before);
});

test("what a broken preparation did not bring comes with the next one", async () => {
  let uploads = 0;
  const present = new Set<string>();
  const { session } = opened((request, response, body) => {
    if (request.method === "GET") {
      return json({ value: [...present].map((name) => ({ name, type: "file" })) })(request, response);
    }
    uploads += 1;
    if (uploads === 2) return status(503)(request, response);
    present.add(/filename="(.+)"/.exec(body.toString())?.[1] ?? "");
    json({})(request, response);
  });
  const files = [file("file-a"), file("o.csv", 3, { restored: true })];
  expect(await trouble(session.prepare(files, NEVER))).toMatchObject({ retryable: true });
  expect(await session.prepare(files, NEVER)).toMatchObject({ fresh: true });
  expect([...present].toSorted()).toEqual(["file-a", "o.csv"]);
});

test("of a session with tens of thousands of files, those are looked for that it is to have", async () => {
  const many = Array.from({ length: 80_000 }, (_, n) => ({
    name: `f${n}`,
    type: "file",
    contentType: "text/plain",
    n,
  }));
  const sent: string[] = [];
  const { session } = opened((request, response, body) => {
    const { pathname } = new URL(request.url ?? "", "http://x");
    if (request.method === "POST") {
      sent.push(/filename="(.+)"/.exec(body.toString())?.[1] ?? "");
      return json({})(request, response);
    }
    if (pathname.endsWith("/files")) return json({ value: many })(request, response);
    return pathname.endsWith("/files/file-b/content") ? response.end("1") : status(404)(request, response);
  });
  const files = [file("file-a"), file("file-b"), file("o.csv", 3, { restored: true })];
  expect(await session.prepare(files, NEVER)).toEqual({ fresh: false, tooLarge: [], missing: [] });
  expect(sent).toEqual(["file-a"]);
  behaviour = (request, response) =>
    request.url?.includes("/content") ? status(503)(request, response) : json({ value: many })(request, response);
  expect(await trouble(session.prepare(files, NEVER))).toMatchObject({ retryable: true });
});

test("a file is read up to its limit, from a pool that would send more", async () => {
  const { session } = opened((_, response) => response.end(Buffer.alloc(1_000)));
  expect(await session.read("a/b c.txt", 999, NEVER)).toBeUndefined();
  expect((await session.read("a/b c.txt", 1_000, NEVER))?.length).toBe(1_000);
  expect(asked[0]).toBe("GET /subscriptions/s/pools/p/files/b%20c.txt/content");
});

test("libraries are asked for once, and only names are taken", async () => {
  const preInstalledPackages = ["numpy", "scikit-learn", "bad name", "x\ny", "<b>"].map((name) => ({
    name,
    version: "1",
  }));
  const { sessions } = opened(json({ runtimes: [], preInstalledPackages }));
  expect(await sessions.packages()).toEqual(["numpy", "scikit-learn"]);
  expect(await sessions.packages()).toEqual(["numpy", "scikit-learn"]);
  expect(asked).toEqual(["GET /subscriptions/s/pools/p/metadata"]);
});
