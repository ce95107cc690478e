/** The REST interface of Azure's dynamic sessions, as the local server speaks it. */
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startCodeSessions } from "../../../local/code-sessions/server.ts";
import { type IdentityServer, startIdentity } from "../../../local/identity/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { type Answered, Caller, KEY, type Told } from "./caller.ts";

const ONE = "session-one";
const LONGEST_PREPARATION = 180_000;
// A session begins within a second, or within ten on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 60_000 });
type CodeSessions = Awaited<ReturnType<typeof startCodeSessions>>;

let identities: IdentityServer;
let server: CodeSessions;
let caller: Caller;

beforeAll(async () => {
  identities = await startIdentity({ tenantId: randomUUID(), secret: "s", systemAssigned: randomUUID() });
  server = await startCodeSessions({ key: KEY, cache: CODE_CACHE, issuer: identities.authority, keepsSpare: false });
  caller = new Caller(server.endpoint);
  await server.prepare();
}, LONGEST_PREPARATION);
afterAll(async () => {
  await server?.stop();
  await identities?.stop();
});

const code = { codeInputType: "Inline", executionType: "Synchronous", code: "1", timeoutInSeconds: 5 };
const errorOf = ({ status, body }: Answered<{ error?: { code?: string } }>) => [status, body.error?.code];
const query = { identifier: ONE };

/** A POST of an execution, with whatever body. */
const post = (body: unknown, url = caller.url("/executions", query)) =>
  caller.send<{ error?: { code?: string } }>("POST", url, { body: JSON.stringify(body) });

/** What the server says to these bytes, up to the end of its answer. */
async function raw(text: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(text.replaceAll("\n", "\r\n"));
  return (await socket.setEncoding("utf8").toArray()).join("");
}

test.each<[what: string, path: string, status: number, code: string]>([
  ["no api-version", "/files?identifier=abcd", 400, "MissingApiVersionParameter"],
  ["another api-version", "/files?identifier=abcd&api-version=2024-02-02-preview", 400, "UnsupportedApiVersion"],
  ["two api-versions", "/metadata?api-version=2025-10-02-preview&api-version=x", 400, "UnsupportedApiVersion"],
  ["no identifier", "/files?api-version=2025-10-02-preview", 400, "SessionRequestValidationFailed"],
  ["a short identifier", "/files?api-version=2025-10-02-preview&identifier=abc", 400, "SessionRequestValidationFailed"],
  ["a blank", "/files?api-version=2025-10-02-preview&identifier=ab%20cd", 400, "SessionRequestValidationFailed"],
  ["a line end", "/files?api-version=2025-10-02-preview&identifier=abcd%0a", 400, "SessionRequestValidationFailed"],
  [
    "a second identifier",
    "/files?api-version=2025-10-02-preview&identifier=abcd&identifier=efgh",
    400,
    "SessionRequestValidationFailed",
  ],
  ["an unknown path", "/code/execute?api-version=2025-10-02-preview&identifier=abcd", 404, "NotFound"],
  ["an unknown method", "/executions?api-version=2025-10-02-preview&identifier=abcd", 405, "MethodNotAllowed"],
  [
    "a path with dots",
    "/files?api-version=2025-10-02-preview&identifier=abcd&path=../x",
    400,
    "SessionRequestValidationFailed",
  ],
  [
    "an absolute path",
    "/files?api-version=2025-10-02-preview&identifier=abcd&path=/etc",
    400,
    "SessionRequestValidationFailed",
  ],
  ["a NUL", "/files/a%00b?api-version=2025-10-02-preview&identifier=abcd", 400, "SessionRequestValidationFailed"],
  ["dots for a name", "/files/%2e%2e?api-version=2025-10-02-preview&identifier=abcd", 404, "NotFound"],
  [
    "an encoded slash",
    "/files/..%2fx/content?api-version=2025-10-02-preview&identifier=abcd",
    400,
    "SessionRequestValidationFailed",
  ],
  ["no session", "/session?api-version=2025-10-02-preview&identifier=abcd", 400, "SessionWithIdentifierNotFound"],
  [
    "no session's execution",
    "/executions/x?api-version=2025-10-02-preview&identifier=abcd",
    400,
    "SessionWithIdentifierNotFound",
  ],
])("%s is refused, and starts no session", async (_, path, status, code) => {
  expect(errorOf(await caller.send("GET", `${server.endpoint}${path}`))).toEqual([status, code]);
  expect((await server.stats()).sessions.map(({ identifier }) => identifier)).not.toContain("abcd");
});

test.each<[what: string, change: object, code: string]>([
  ["the wrapper of older versions", { properties: code }, "SessionPropertiesMissing"],
  ["an unknown property", { ...code, language: "python" }, "SessionRequestValidationFailed"],
  ["a number for code", { ...code, code: 1 }, "SessionRequestValidationFailed"],
  ["no timeout", { ...code, timeoutInSeconds: undefined }, "SessionRequestValidationFailed"],
  ["a timeout of 0 s", { ...code, timeoutInSeconds: 0 }, "SessionRequestValidationFailed"],
  ["a timeout of 221 s", { ...code, timeoutInSeconds: 221 }, "SessionRequestValidationFailed"],
  ["an empty kernel", { ...code, useEmptyKernel: true }, "NotSupportedLocally"],
  ["Jupyter's format", { ...code, returnJupyterFormatExecutionResult: true }, "NotSupportedLocally"],
  ["an array", [], "SessionRequestValidationFailed"],
])("an execution with %s is refused", async (_, body, code) => {
  const url = caller.url("/executions", { identifier: "never-begun" });
  expect(errorOf(await post(body, url))).toEqual([400, code]);
  expect((await server.stats()).sessions.map(({ identifier }) => identifier)).not.toContain("never-begun");
});

test.each([
  ["no key", ""],
  ["a wrong key", "Bearer wrong"],
  ["another scheme", `Basic ${KEY}`],
])("%s is refused", async (_, authorization) => {
  const answer = await caller.send<{ error: { code: string } }>("GET", caller.url("/metadata"), {
    headers: { authorization },
  });
  expect(errorOf(answer)).toEqual([401, "Unauthorized"]);
});

test("a token of the local directory is taken if it is for dynamic sessions", async () => {
  const statusWith = async (audience: string) => {
    const token = identities.directory.issue({ clientId: "app" }, { audience, lifetime: 60 });
    const headers = { authorization: `Bearer ${token}` };
    return (await caller.send("GET", caller.url("/metadata"), { headers })).status;
  };
  expect(await statusWith("https://dynamicsessions.io")).toBe(200);
  expect(await statusWith("https://cosmos.azure.com")).toBe(401);
});

test("code runs in one namespace after another, with its output and the value of its last expression", async () => {
  const { status, body, headers } = await caller.execute(
    ONE,
    "import sys; x = 20; print('é'); print('e', file=sys.stderr); x + 1",
  );
  expect(status).toBe(200);
  expect(body).toEqual({
    id: headers.get("operation-id"),
    identifier: ONE,
    executionType: "Synchronous",
    status: "Succeeded",
    result: { stdout: "é\n", stderr: "e\n", executionResult: 21, executionTimeInMilliseconds: expect.any(Number) },
  });
  expect(await caller.value(ONE, "x")).toBe(20);
  const base64 = Buffer.from("'ü' + str(x)").toString("base64");
  expect(await caller.value(ONE, base64, { codeInputType: "InlineBase64" })).toBe("ü20");
  expect(await caller.value(ONE, "__name__")).toBe("__main__");
});

test.each<[python: string, value: unknown]>([
  ["None", ""],
  ["x = 1", ""],
  ["float('nan')", null],
  ["[1, {'a': True}]", [1, { a: true }]],
  ["[float('nan')]", "[nan]"],
  ["{1, 2}", "{1, 2}"],
  ["'a' * 5", "aaaaa"],
  ["len(repr('x' * 5_000_000))", 5_000_002],
])("the value of %s is %j", async (python, value) => {
  expect(await caller.value(ONE, python)).toEqual(value);
});

test("a value of megabytes is told by its beginning", async () => {
  const value = await caller.value(ONE, "'x' * 5_000_000");
  expect(String(value)).toMatch(/^'x{900,1000}$/);
});

test("an exception is a failed execution with its traceback, and the session goes on", async () => {
  const { status, body } = await caller.execute(ONE, "y = 5\nprint('before')\n1 / 0");
  expect([status, body.status, body.result?.stdout]).toEqual([200, "Failed", "before\n"]);
  expect(body.result?.stderr).toMatch(
    /^Traceback .*\n {2}File "<cell>", line 3.*\nZeroDivisionError: division by zero\n$/s,
  );
  expect((await caller.execute(ONE, "raise SystemExit(3)")).body.result?.stderr).toContain("SystemExit: 3");
  expect((await caller.execute(ONE, "1 +")).body.result?.stderr).toContain("SyntaxError");
  expect(await caller.value(ONE, "y")).toBe(5);
});

test("streams are cut at 4,096 characters, or where the request says, without a sign", async () => {
  const print = "import sys; print('ü' * 5000); print('e' * 5000, file=sys.stderr)";
  const { result } = (await caller.execute(ONE, print)).body;
  expect([result?.stdout, result?.stderr]).toEqual(["ü".repeat(4096), "e".repeat(4096)]);
  const longer = (await caller.execute(ONE, print, { outputStreamsMaxLength: 4999 })).body;
  expect(longer.result?.stdout).toHaveLength(4999);
  const halved = (await caller.execute(ONE, "print('😀😀')", { outputStreamsMaxLength: 3 })).body;
  expect(halved.result?.stdout).toBe("😀");
});

test("two executions at once run one after the other, in the order they came", async () => {
  await caller.value(ONE, "log = []");
  const slow = "import time; log.append('a'); time.sleep(0.2); log.append('b')";
  const { body } = await caller.execute(ONE, slow, { executionType: "Asynchronous" });
  expect(body.status).toBe("Running");
  expect(await caller.value(ONE, "log")).toEqual(["a", "b"]);
});

test("an asynchronous execution answers at once and is asked for by its id", async () => {
  const more = { executionType: "Asynchronous" };
  const { body, headers } = await caller.execute(ONE, "import time; time.sleep(0.1); 7", more);
  expect(body).toMatchObject({ status: "Running", executionType: "Asynchronous" });
  const location = headers.get("operation-location") ?? "";
  const ask = async () => (await caller.send<Told>("GET", location)).body;
  await expect.poll(async () => (await ask()).status).toBe("Succeeded");
  expect((await ask()).result?.executionResult).toBe(7);
  expect(errorOf(await caller.send("GET", caller.url("/executions/other", query)))).toEqual([404, "ExecutionNotFound"]);
});

test("files are uploaded, listed, described, read and deleted, and code sees them", async () => {
  const identifier = "with-files";
  const uploaded = await caller.upload(identifier, "ä (1).txt", "hello");
  expect([uploaded.status, uploaded.body]).toMatchObject([
    200,
    { name: "ä (1).txt", type: "file", sizeInBytes: 5, directory: "", lastModifiedAt: expect.stringMatching(/Z$/) },
  ]);
  await caller.upload(identifier, "b.bin", new Uint8Array([0, 255, 10]), "out/deep");
  expect(await caller.value(identifier, "open('/mnt/data/ä (1).txt').read()")).toBe("hello");
  const list = async (more = {}) =>
    (
      await caller.send<{ value: { name: string; type: string; directory: string }[] }>(
        "GET",
        caller.url("/files", { identifier, ...more }),
      )
    ).body.value.map(({ name, type, directory }) => `${type} ${directory}/${name}`);
  expect((await list()).sort()).toEqual(["directory /out", "file /ä (1).txt"]);
  expect((await list({ recursive: "true" })).sort()).toEqual([
    "directory /out",
    "directory out/deep",
    "file /ä (1).txt",
    "file out/deep/b.bin",
  ]);
  expect(await list({ path: "out/deep" })).toEqual(["file /b.bin"]);
  const content = await fetch(caller.url("/files/b.bin/content", { identifier, path: "out/deep" }), {
    headers: { authorization: `Bearer ${KEY}` },
  });
  expect([...new Uint8Array(await content.arrayBuffer())]).toEqual([0, 255, 10]);
  const name = encodeURIComponent("ä (1).txt");
  expect((await caller.send("GET", caller.url(`/files/${name}`, { identifier }))).body).toMatchObject({
    sizeInBytes: 5,
  });
  expect((await caller.send("DELETE", caller.url(`/files/${name}`, { identifier }))).status).toBe(204);
  for (const path of [`/files/${name}`, `/files/${name}/content`, "/files/out/content"]) {
    expect(errorOf(await caller.send("GET", caller.url(path, { identifier })))).toEqual([404, "FileNotFound"]);
  }
  expect(errorOf(await caller.send("GET", caller.url("/files", { identifier, path: "none" })))).toEqual([
    404,
    "FileNotFound",
  ]);
});

test("a file of 20 MB goes in and out whole", async () => {
  const bytes = new Uint8Array(20_000_000).map((_, index) => index % 251);
  expect((await caller.upload("with-files", "large.bin", bytes)).body).toMatchObject({ sizeInBytes: bytes.length });
  const url = caller.url("/files/large.bin/content", { identifier: "with-files" });
  const response = await fetch(url, { headers: { authorization: `Bearer ${KEY}` } });
  expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
});

test.each(["a/b.txt", "..", "a\\b.txt", "a*b", "a:b", "x".repeat(256)])("the file name %j is refused", async (name) => {
  const answer = await caller.upload("with-files", name, "x");
  expect(answer).toMatchObject({ status: 400, body: { error: { code: "SessionRequestValidationFailed" } } });
});

test("uploads that are none are refused, and too large ones before they are read", async () => {
  const url = caller.url("/files", { identifier: "with-files" });
  const form = (name: string) => {
    const data = new FormData();
    data.append(name, new Blob(["x"]), "x");
    return data;
  };
  for (const body of ["text", form("other"), new FormData()]) {
    expect((await caller.send("POST", url, { body })).status).toBe(400);
  }
  const { pathname, search } = new URL(url);
  const head = `Host: a\nAuthorization: Bearer ${KEY}\nContent-Type: multipart/form-data; boundary=x\nConnection: close\n`;
  const length = 128 * 2 ** 20 + 100_000;
  expect(await raw(`POST ${pathname}${search} HTTP/1.1\n${head}Content-Length: ${length}\n\n`)).toContain("413 ");
});

test("requests that are ambiguous, or lead to another host, are refused", async () => {
  const head = `Host: 127.0.0.1\nAuthorization: Bearer ${KEY}\n`;
  const metadata = "/metadata?api-version=2025-10-02-preview";
  expect(await raw(`GET ${metadata} HTTP/1.1\n${head}Connection: close\n\n`)).toContain("200 OK");
  for (const target of [`http://evil.example${metadata}`, `//evil.example${metadata}`, "*", "/%"]) {
    expect(await raw(`GET ${target} HTTP/1.1\n${head}Connection: close\n\n`)).toMatch(/^HTTP\/1.1 40[04]/);
  }
  const both = "Content-Length: 4\nTransfer-Encoding: chunked\n";
  const smuggled = `POST /executions HTTP/1.1\n${head}${both}\n0\n\nGET ${metadata} HTTP/1.1\n\n`;
  expect(await raw(smuggled)).toMatch(/^HTTP\/1.1 400 Bad Request/);
  expect(
    await raw(`GET ${metadata} HTTP/1.1\nHost: a\nAuthorization: Bearer\nX: ${KEY}\nConnection: close\n\n`),
  ).toContain("401 ");
});

test("links to further pages lead to this server, whatever host a request names", async () => {
  await caller.value("with-files", "os.mkdir('linked')\nfor i in range(1001): open(f'linked/{i}', 'w').close()");
  const { pathname, search } = new URL(caller.url("/files", { identifier: "with-files", path: "linked" }));
  const head = `Host: evil.example\nAuthorization: Bearer ${KEY}\nConnection: close\n`;
  expect(await raw(`GET ${pathname}${search} HTTP/1.1\n${head}\n`)).toContain(`"nextLink":"${server.endpoint}/files?`);
});

test("a long list comes in pages", async () => {
  const identifier = "with-files";
  await caller.value(identifier, "os.mkdir('many')\nfor i in range(2100): open(f'many/{i}', 'w').close()");
  const names: string[] = [];
  let next: string | null = caller.url("/files", { identifier, path: "many" });
  for (let pages = 0; next !== null; pages++) {
    expect(pages).toBeLessThan(3);
    const answer: Answered<{ value: { name: string }[]; nextLink: string | null }> = await caller.send("GET", next);
    names.push(...answer.body.value.map(({ name }) => name));
    next = answer.body.nextLink;
  }
  expect(new Set(names).size).toBe(2100);
});

test("a session tells of itself, stands in the list, and is gone with its variables when it is deleted", async () => {
  const identifier = "to-be-deleted";
  const url = caller.url("/session", { identifier });
  await caller.value(identifier, "x = 1");
  const { body } = await caller.send<Record<string, string>>("GET", url);
  expect(body).toMatchObject({ identifier, etag: expect.any(String) });
  expect(Date.parse(body.expireAt ?? "") - Date.parse(body.lastAccessedAt ?? "")).toBe(1_800_000);
  const list = await caller.send<{ sessions: { identifier: string }[] }>("GET", caller.url("/listSessions"));
  expect(list.body.sessions.map((session) => session.identifier)).toContain(identifier);
  expect((await caller.send("DELETE", url)).status).toBe(204);
  expect(errorOf(await caller.send("DELETE", url))).toEqual([400, "SessionWithIdentifierNotFound"]);
  expect((await caller.execute(identifier, "x")).body.result?.stderr).toContain("NameError");
  await caller.send("DELETE", url);
});

test("metadata names the runtime as Python itself does, and no package that is not there", async () => {
  const { body } = await caller.send<{ runtimes: unknown; preInstalledPackages: unknown }>(
    "GET",
    caller.url("/metadata"),
  );
  const version = await caller.value(ONE, "import platform; platform.python_version()");
  expect(body).toMatchObject({ runtimes: [{ name: "python", version }], preInstalledPackages: [] });
  expect((await caller.execute(ONE, "import numpy")).body.result?.stderr).toContain("ModuleNotFoundError");
});

test("an execution that takes too long ends its session, and the next one begins a new one", async () => {
  const identifier = "too-slow";
  await caller.value(identifier, "x = 1");
  const { status, body } = await caller.execute(identifier, "while True: pass", { timeoutInSeconds: 1 });
  expect([status, body.status, body.error?.error.code]).toEqual([200, "Failed", "ExecutionTimedOut"]);
  expect((await caller.execute(identifier, "x")).body.result?.stderr).toContain("NameError");
});
