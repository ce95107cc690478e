/** Code that wants all of the machine, or forges what its server hears of it: the server and other sessions go on. */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { residentBytes } from "../../../local/code-sessions/memory-watch.ts";
import { type CodeSessions, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { awaitedJavaScript, Caller, javaScript, KEY } from "./caller.ts";

const MEGABYTE = 2 ** 20;
/** A session that has just begun takes some 250 MB, of which Python's own memory is 30 MB. */
const LIMITS = { wasm: 160 * MEGABYTE, resident: 700 * MEGABYTE };
const LONGEST_PREPARATION = 180_000;
// A session begins within a second, or within ten on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 60_000 });
const linuxTest = test.skipIf(process.platform !== "linux");

let server: CodeSessions;
let caller: Caller;

beforeAll(async () => {
  server = await startCodeSessions({ key: KEY, cache: CODE_CACHE, limits: LIMITS, maxSessions: 12, keepsSpare: false });
  caller = new Caller(server.endpoint);
  await server.prepare();
  await caller.value("neighbour", "x = 7");
}, LONGEST_PREPARATION);
afterAll(() => server?.stop());

/** Whatever an attack did: the neighbour is there as it was, and the attacker's identifier can begin anew. */
afterEach(async () => {
  expect(await caller.value("neighbour", "x")).toBe(7);
  const sessions = (await server.stats()).sessions.map(({ identifier }) => identifier);
  expect(sessions.filter((identifier) => identifier !== "bomb")).toEqual(["neighbour"]);
});

/** Variants of attacks that are in the suite already, after changes of the sandbox: CODE_ATTACKS=all. */
const ifAll = (attacks: string[]) => (process.env.CODE_ATTACKS === "all" ? attacks : []);

async function endOf(code: string, timeoutInSeconds: number, identifier: string): Promise<string> {
  const { status, body } = await caller.execute(identifier, code, { timeoutInSeconds });
  expect(status).toBe(200);
  return body.error?.error.code ?? body.status;
}

test("what does not end is ended with its time, and takes no memory of this process's meanwhile", async () => {
  const before = process.memoryUsage().rss;
  const codes = [
    "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
    "while True: print('x' * 10_000)",
    javaScript("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"),
    javaScript("for (;;) Deno.stderr.writeSync(new Uint8Array(65536))"),
    ...ifAll([
      javaScript("for (;;) Deno.stdin.readSync(new Uint8Array(9))"),
      "import re; re.match(r'(a+)+$', 'a' * 40 + 'b')",
      "10 ** 10 ** 8",
      "import sys\nwhile True: print('x' * 10_000, file=sys.stderr)",
      javaScript("Deno.kill(Deno.pid, 'SIGSTOP')"),
      javaScript("for (;;) Deno.stdout.writeSync(new Uint8Array([0, 0, 1]))"),
    ]),
  ];
  const ends = await Promise.all(codes.map((code, index) => endOf(code, 1, `endless-${index}`)));
  expect(new Set(ends)).toEqual(new Set(["ExecutionTimedOut"]));
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * MEGABYTE);
});

test("objects without end are a MemoryError, after which the session goes on", async () => {
  const { body } = await caller.execute("bomb", "kept = 1\nlist = []\nwhile True: list.append(bytearray(10_000_000))");
  expect(body.result?.stderr).toContain("MemoryError");
  expect(await caller.value("bomb", "list.clear(); kept")).toBe(1);
});

linuxTest("memory that Python does not count is counted for the whole process, and ends the session", async () => {
  const codes = [
    "i = 0\nwhile True:\n  open(f'/mnt/data/{i}', 'wb').write(b'x' * 10_000_000); i += 1",
    javaScript(`for (const all = []; ; ) {
      const memory = new WebAssembly.Memory({ initial: 400 });
      new Uint8Array(memory.buffer).fill(1);
      all.push(memory);
    }`),
    ...ifAll([javaScript("const all = []; for (;;) all.push(new Uint8Array(2e7).fill(1))")]),
  ];
  const ends = await Promise.all(codes.map((code, index) => endOf(code, 30, `greedy-${index}`)));
  expect(new Set(ends)).toEqual(new Set(["SessionOutOfMemory"]));
});

test("what breaks the interpreter ends the session at once", async () => {
  const codes = [
    "import ctypes; ctypes.memset(0, 255, 10_000_000)",
    "import sys; sys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
    "deep = []\nfor _ in range(100_000): deep = [deep]\ndeep",
    ...ifAll([
      "import os; os.abort()",
      "import os; os._exit(0)",
      "import ctypes; ctypes.string_at(1 << 31)",
      "import os; os.system('id')",
      javaScript("Deno.exit(0)"),
      javaScript("process.abort()"),
    ]),
  ];
  // Without an answer they would take all of this time.
  const ends = await Promise.all(codes.map((code, index) => endOf(code, 60, `broken-${index}`)));
  expect(new Set(ends)).toEqual(new Set(["SessionCrashed"]));
});

/** Writes to the descriptor of the frames, and goes on for this many milliseconds. `bytes`: JavaScript. */
const write = (bytes: string, more = 0) =>
  javaScript(`Deno.stdout.writeSync(new Uint8Array(${bytes}));
    for (const end = Date.now() + ${more}; Date.now() < end; ); ""`);
const frame = (head: object) => `
  (() => { const head = new TextEncoder().encode(${JSON.stringify(JSON.stringify(head))});
    const all = new Uint8Array(4 + head.length); new DataView(all.buffer).setUint32(0, head.length);
    all.set(head, 4); return all })()`;
/** A session's first question has the id 1. */
const first = { id: 1, failed: false, result: "7", out: 0, bytes: 0 };

test("forged frames end their session and nothing else", async () => {
  const forged = [
    "[255, 255, 255, 255]",
    frame({ ...first, result: "{" }),
    ...ifAll([
      frame({ ...first, id: 7777 }),
      frame({ ...first, failed: 1 }),
      frame({ id: -1, fatal: "x", bytes: 0 }),
      frame({ ...first, out: -1 }),
    ]),
  ];
  const ends = await Promise.all(forged.map((bytes, index) => endOf(write(bytes), 10, `forger-${index}`)));
  expect(new Set(ends)).toEqual(new Set(["SessionCrashed"]));
});

test("a forged answer is no more than an answer, and the next question ends its session", async () => {
  // The true answer to the first question comes so long after it that a slow server does not read both at once.
  const { body } = await caller.execute("forger", write(frame(first), 3000));
  expect(body.result?.executionResult).toBe(7);
  expect(await endOf("1", 10, "forger")).toBe("SessionCrashed");
});

test("a harness that was tampered with hurts its own session only", async () => {
  const pollute = `Object.prototype.failed = true; Array.prototype.push = () => 1;
    JSON.stringify = () => '{"id":1,"bytes":0}'; TextEncoder.prototype.encode = () => new Uint8Array(3); ""`;
  await caller.execute("bomb", javaScript(pollute));
  await caller.execute(
    "bomb",
    "import builtins; builtins.__import__ = None; builtins.len = None; builtins.compile = None",
  );
  await caller.send("DELETE", caller.url("/session", { identifier: "bomb" }));
  expect(await caller.value("bomb", "import json; len('abc')")).toBe(3);
});

linuxTest("threads that code leaves behind stand still with their session", async () => {
  const thread = `const { Worker } = await import("node:worker_threads");
    new Worker("for (;;);", { eval: true }); return "STARTED"`;
  expect(await caller.value("bomb", awaitedJavaScript(thread))).toBe("STARTED");
  const pid = (await server.stats()).sessions.find(({ identifier }) => identifier === "bomb")?.pid ?? 0;
  const ticks = () => {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const values = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return [values[0], Number(values[11]) + Number(values[12])];
  };
  await expect.poll(() => ticks()[0]).toBe("T");
  const before = ticks();
  await caller.value("neighbour", "import time; time.sleep(0.2)");
  expect(ticks()).toEqual(before);
  await caller.send("DELETE", caller.url("/session", { identifier: "bomb" }));
});

test("a folder of more files than a listing may have is listed in part, and soon", async () => {
  await caller.value("bomb", "for i in range(12_000): open(f'/mnt/data/{i}', 'w').close()");
  const url = caller.url("/files", { identifier: "bomb", skip: "9000" });
  const { body } = await caller.send<{ value: unknown[]; nextLink: string | null }>("GET", url);
  expect([body.value.length, body.nextLink]).toEqual([1000, null]);
});

linuxTest("a session that rests takes less than 300 MB", async () => {
  const { sessions } = await server.stats();
  for (const { pid, identifier } of sessions)
    if (identifier === "neighbour") expect(residentBytes(pid)).toBeLessThan(300e6);
});
