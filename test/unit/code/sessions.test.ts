/** The client and its driver against the local server, where Python runs in Pyodide. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type CodeSessions as Server, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { type IdentityServer, startIdentity } from "../../../local/identity/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { DynamicSessions } from "../../../src/code/dynamic-sessions.ts";
import type { CellResult, CodeSession, SessionFile } from "../../../src/code/session.ts";
import { CELLS, shown } from "./cells.ts";

const KEY = "a-key-of-these-tests";
const SECRET = "s";
const NEVER = new AbortController().signal;

let identities: IdentityServer;
let server: Server;
let sessions: DynamicSessions;
beforeAll(async () => {
  identities = await startIdentity({ tenantId: randomUUID(), secret: SECRET, systemAssigned: randomUUID() });
  server = await startCodeSessions({ key: KEY, cache: CODE_CACHE, issuer: identities.authority, maxSessions: 3 });
  const code = { endpoint: server.endpoint, key: KEY, timeout: 60 };
  sessions = new DynamicSessions({ code, managedIdentityClientId: undefined, hasIdentityEndpoint: false });
  await server.prepare();
}, 180_000);
afterAll(async () => {
  await server?.stop();
  await identities?.stop();
});

let calls = 0;
const cell = (session: CodeSession, code: string, timeout = 30) =>
  session.run({ step: `step ${calls++}`, id: "call", code, timeout }, NEVER);

async function withSession(work: (session: CodeSession, id: string) => Promise<void>): Promise<void> {
  const id = randomUUID();
  const session = sessions.open({ id });
  await work(session, id).finally(() => session.discard());
}

function done(result: CellResult) {
  if (result.kind !== "done") throw new Error(`the cell ended with ${result.kind}`);
  return result;
}

function fileOf(path: string, text: string, more: Partial<SessionFile> = {}): SessionFile & { opened: number } {
  const content = Buffer.from(text);
  return {
    path,
    bytes: content.length,
    opened: 0,
    async open() {
      this.opened += 1;
      return (async function* () {
        yield content.subarray(0, 1);
        yield content.subarray(1);
      })();
    },
    ...more,
  };
}

describe("each cell of the table, in one session", () => {
  let session: CodeSession;
  beforeAll(() => {
    session = sessions.open({ id: randomUUID() });
  });
  afterAll(() => session.discard());

  test.each(CELLS)("$name", async ({ name, code, ...rest }) => {
    expect(shown(name, code, done(await cell(session, code)))).toEqual({ name, code, ...rest });
  });
});

test("files are there under both names, are uploaded once, and come back after a restart", async () => {
  await withSession(async (session) => {
    const upload = fileOf("file-abc", "a,b\n1,2\n", { alias: "sales.csv" });
    const written = fileOf("plot.txt", "written before", { restored: true });
    const files = [upload, written];
    expect(await session.prepare(files, NEVER)).toEqual({ fresh: true, tooLarge: [], missing: [] });
    const code = "import os\nprint(sorted(os.listdir('.')))\nopen('sales.csv').read() == open('file-abc').read()";
    const result = done(await cell(session, code));
    expect(result).toMatchObject({ fresh: true, files: [] });
    expect(result.logs).toBe("['file-abc', 'plot.txt', 'sales.csv']\nTrue");

    await cell(session, "x = 1\nos.remove('plot.txt')");
    expect(await session.prepare(files, NEVER)).toEqual({ fresh: false, tooLarge: [], missing: [] });
    expect([upload.opened, written.opened]).toEqual([1, 1]);

    expect(await cell(session, "while True: pass", 1)).toEqual({ kind: "timeout" });
    expect(await session.prepare(files, NEVER)).toMatchObject({ fresh: true });
    expect(done(await cell(session, "print('x' in globals())\nopen('plot.txt').read()"))).toMatchObject({
      logs: "False\n'written before'",
      fresh: true,
    });
    expect([upload.opened, written.opened]).toEqual([2, 2]);
  });
});

test("a file that is changed by the name that its user gave it can be read by that name", async () => {
  await withSession(async (session) => {
    await session.prepare([fileOf("file-abc", "a", { alias: "it's.csv" })], NEVER);
    const result = done(await cell(session, `open("it's.csv", "w").write("a,b")`));
    expect(result.files).toEqual([{ path: "it's.csv", size: 3 }]);
    expect(Buffer.from((await session.read("it's.csv", 100, NEVER)) ?? "").toString()).toBe("a,b");
  });
});

test("names of files may be any that the pool takes; others are told", async () => {
  await withSession(async (session) => {
    const names = ["ä b (1).csv", "100%.txt", "a&b=c;d.e,f", "日本.txt", "$@^#.x"];
    const files = [...names, 'quo"te', "a'b", "../up", "n\nl"].map((name) => fileOf(name, name));
    const { missing } = await session.prepare(files, NEVER);
    expect(missing.toSorted()).toEqual(["../up", "a'b", "n\nl", 'quo"te']);
    const listed = done(await cell(session, "import os\nsorted(n for n in os.listdir('.') if n[0] != '_')"));
    expect(JSON.parse(listed.logs.replaceAll("'", '"'))).toEqual(names.toSorted());
    for (const name of names) expect(Buffer.from((await session.read(name, 99, NEVER)) ?? []).toString()).toBe(name);
  });
});

test("what code writes can be read, up to a limit, wherever it is", async () => {
  await withSession(async (session) => {
    const code = `import os
os.makedirs('out/more')
os.makedirs('v1.2')
for p in ('o.bin', 'out/more/é.bin', "it's", 'v1.2/x'): open(p, 'wb').write(b'x' * 1000)`;
    const { files } = done(await cell(session, code));
    expect(files).toEqual(["it's", "o.bin", "out/more/é.bin", "v1.2/x"].map((path) => ({ path, size: 1_000 })));
    for (const { path } of files) {
      expect((await session.read(path, 1_000, NEVER))?.length).toBe(1_000);
      expect(await session.read(path, 999, NEVER)).toBeUndefined();
    }
    for (const path of ["none", "out/none", "none/o.bin", "../etc/passwd", "", "/etc/passwd", "out"])
      expect(await session.read(path, 1_000, NEVER)).toBeUndefined();
  });
});

test("figures are files that can be read", async () => {
  await withSession(async (session) => {
    const draw = "class F:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n' + b'f' * 5000\nF()";
    const { images, files } = done(await cell(session, draw));
    expect(files).toEqual([]);
    const bytes = await session.read(images[0] ?? "", 10_000, NEVER);
    expect(Buffer.from(bytes ?? []).toString("latin1")).toBe(`\x89PNG\r\n\x1a\n${"f".repeat(5_000)}`);
  });
});

test("a call that was answered is not run again, though its answer got lost", async () => {
  await withSession(async (session, id) => {
    const call = {
      step: "step",
      id: "call",
      code: "open('n.txt', 'a').write('x')\nlen(open('n.txt').read())",
      timeout: 10,
    };
    server.behave([{ fault: "503", operations: ["execute"], identifier: id, times: 1, when: "after" }]);
    await expect(session.run(call, NEVER)).rejects.toMatchObject({ name: "CodeTrouble", retryable: true });
    expect(await session.run(call, NEVER)).toMatchObject({ logs: "1", repeated: true });
    // A connection that is cut is tried again at once.
    server.behave([{ fault: "cut-after", operations: ["execute"], identifier: id, times: 1 }]);
    expect(await session.run({ ...call, id: "next" }, NEVER)).toMatchObject({ logs: "2", repeated: true });
    server.behave([]);
  });
});

test("much output comes whole, and so does what the answer itself has no room for", async () => {
  await withSession(async (session) => {
    const { logs } = done(await cell(session, "print('z' * 20_000_000)"));
    expect(logs.length).toBeLessThan(1_000_100);
    expect(logs).toMatch(/^z+\n\[output truncated: 19000001 more characters\]$/);
    const drowned = "import os\nfor _ in range(50): os.write(1, b'n' * 1000)\n'heard'";
    expect(done(await cell(session, drowned)).logs).toMatch(/'heard'$/);
  });
});

test.each<[code: string, end: CellResult]>([
  ["import os; os._exit(3)", { kind: "died", reason: "crash" }],
  ["import os; os.abort()", { kind: "died", reason: "crash" }],
  ["import builtins; vars(builtins).clear(); builtins.__import__ = None", { kind: "died", reason: "crash" }],
  ["import sys; sys.modules['_threadkeep'].run = print", { kind: "died", reason: "crash" }],
  ["while True: pass", { kind: "timeout" }],
  ["while True:\n    try:\n        while True: pass\n    except BaseException: pass", { kind: "timeout" }],
])("%s ends the session, and the next call has a new one", async (code, end) => {
  await withSession(async (session) => {
    await cell(session, "x = 1");
    const first = await cell(session, code, 2);
    // What breaks only the driver is found with the next call.
    const second = first.kind === "done" ? await cell(session, "2", 2) : first;
    expect(second).toEqual(end);
    expect(await cell(session, "'x' in globals()")).toMatchObject({ logs: "False", fresh: true });
  });
});

test("a full pool is trouble that passes; a wrong key is not", async () => {
  const full = Array.from({ length: 4 }, () => sessions.open({ id: randomUUID() }));
  const ends = await Promise.allSettled(full.map((session) => cell(session, "1")));
  expect(ends.filter(({ status }) => status === "rejected")).toMatchObject([
    { reason: { name: "CodeTrouble", retryable: true, isFull: true, details: { status: 404 } } },
  ]);
  await Promise.all(full.map((session) => session.discard()));

  const code = { endpoint: server.endpoint, key: "another", timeout: 60 };
  const stranger = new DynamicSessions({ code, managedIdentityClientId: undefined, hasIdentityEndpoint: false });
  await expect(cell(stranger.open({ id: randomUUID() }), "1")).rejects.toMatchObject({
    retryable: false,
    details: { status: 401, hint: expect.stringContaining("Azure ContainerApps Session Executor") },
  });
  expect(await stranger.packages()).toBeUndefined();
  // This one tells: it has none.
  expect(await sessions.packages()).toEqual([]);
});

test("404 of an address that has never served anything is no full pool", async () => {
  const code = { endpoint: `${server.endpoint}/nowhere`, key: KEY, timeout: 60 };
  const lost = new DynamicSessions({ code, managedIdentityClientId: undefined, hasIdentityEndpoint: false });
  await expect(cell(lost.open({ id: randomUUID() }), "1")).rejects.toMatchObject({
    ...{ retryable: true, isFull: false },
    details: { status: 404, hint: expect.stringContaining("CODE_SESSIONS_ENDPOINT") },
  });
});

test.each([
  ["429", true],
  ["503", false],
] as const)("whether a pool that answers %s is full: %s", (fault, isFull) =>
  withSession(async (session, identifier) => {
    server.behave([{ fault, operations: ["execute"], identifier, times: 1 }]);
    await expect(cell(session, "1")).rejects.toMatchObject({ retryable: true, isFull });
    server.behave([]);
  }),
);

describe("with the app's identity", () => {
  beforeAll(() => {
    vi.stubEnv("IDENTITY_ENDPOINT", `${identities.authority}/msi/token`);
    vi.stubEnv("IDENTITY_HEADER", SECRET);
  });
  afterAll(() => void vi.unstubAllEnvs());

  const ofIdentity = (managedIdentityClientId?: string) => {
    const code = { endpoint: server.endpoint, key: undefined, timeout: 60 };
    return new DynamicSessions({ code, managedIdentityClientId, hasIdentityEndpoint: true });
  };

  test("the pool takes its token", async () => {
    const session = ofIdentity().open({ id: randomUUID() });
    expect(await cell(session, "6 * 7")).toMatchObject({ logs: "42" });
    await session.discard();
  });

  test("a token that is not to be had is trouble that passes, and the log hears why", async () => {
    const session = ofIdentity(randomUUID()).open({ id: randomUUID() });
    await expect(cell(session, "6 * 7")).rejects.toMatchObject({
      name: "CodeTrouble",
      retryable: true,
      details: { reason: expect.stringContaining("got no token for https://dynamicsessions.io/.default") },
    });
  });
});

test("an aborted call ends at once, and its session can be destroyed meanwhile", async () => {
  await withSession(async (session, id) => {
    await cell(session, "1");
    const stop = new AbortController();
    const running = session.run({ step: "step", id: "long", code: "while True: pass", timeout: 30 }, stop.signal);
    await expect.poll(async () => (await server.stats()).sessions.map((each) => each.identifier)).toContain(id);
    stop.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    await session.discard();
    expect((await server.stats()).sessions.map(({ identifier }) => identifier)).not.toContain(id);
  });
});
