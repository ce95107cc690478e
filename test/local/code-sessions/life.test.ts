/** How sessions begin, rest and end: the processes behind the local server of code sessions. */
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Child } from "../../../local/child.ts";
import { type CodeSessions, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { isAlive } from "../stack/processes.ts";
import { Caller, KEY } from "./caller.ts";

const IDLE = 1800;
const LIFE = 3600;
const LONGEST_PREPARATION = 180_000;
// A session begins within a second, or within ten on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 60_000 });
const linuxTest = test.skipIf(process.platform !== "linux");

let now = Date.UTC(2026, 0, 1);
let server: CodeSessions;
let caller: Caller;

beforeAll(async () => {
  server = await startCodeSessions({
    key: KEY,
    cache: CODE_CACHE,
    maxSessions: 2,
    idle: IDLE,
    life: LIFE,
    now: () => now,
  });
  caller = new Caller(server.endpoint);
  await server.prepare();
}, LONGEST_PREPARATION);
afterAll(() => server?.stop());

async function pidOf(identifier: string): Promise<number> {
  return (await server.stats()).sessions.find((session) => session.identifier === identifier)?.pid ?? 0;
}

const end = (identifier: string) => caller.send("DELETE", caller.url("/session", { identifier }));

/** State and processor time of a process: `pid (command) state …`, with ticks as the 14th and 15th values. */
function statOf(pid: number): { state: string | undefined; ticks: number } {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const values = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: values[0], ticks: Number(values[11]) + Number(values[12]) };
}

test("nothing is started before the first session; from then on there is a spare, which the next one gets", async () => {
  expect(await server.stats()).toMatchObject({ starts: { spare: 0, snapshot: 0, plain: 0 }, sessions: [] });
  await caller.value("first", "1");
  await expect
    .poll(async () => (await server.stats()).starts, { timeout: 45_000 })
    .toMatchObject({ snapshot: 2, plain: 0 });
  await caller.value("second", "1");
  expect((await server.stats()).starts).toMatchObject({ spare: 1 });
  await Promise.all([end("first"), end("second")]);
});

test("sessions from one snapshot have random numbers of their own, and see nothing of each other", async () => {
  const python = `import random, secrets, tempfile, uuid
open("/mnt/data/mine", "w").close()
shared = 1
[str(random.random()), secrets.token_hex(8), str(uuid.uuid4()), tempfile.mktemp()]`;
  const [one, other] = await Promise.all([caller.value("first", python), caller.value("second", python)]);
  expect(new Set([one, other].flat()).size).toBe(8);
  await end("second");
  expect(
    await caller.value("second", "import os; ['shared' in globals(), os.listdir('/mnt/data'), os.listdir('/tmp')]"),
  ).toEqual([false, [], []]);
});

test("a full pool answers 404 to a new identifier, and serves the others", async () => {
  const { status, body } = await caller.execute("third", "1");
  expect([status, body]).toMatchObject([404, { error: { code: "MaxSessionsReached" } }]);
  expect(await caller.value("first", "shared")).toBe(1);
});

test("a pool that makes room ends the session that has rested the longest, and refuses while all were just used", async () => {
  let clock = now;
  const small = await startCodeSessions({
    ...{ key: KEY, cache: CODE_CACHE, maxSessions: 2, keepsSpare: false, makesRoom: true },
    now: () => clock,
  });
  try {
    const other = new Caller(small.endpoint);
    const names = async () => (await small.stats()).sessions.map(({ identifier }) => identifier);
    await other.value("first", "1");
    await other.value("second", "1");
    expect((await other.execute("third", "1")).status).toBe(404);
    clock += 6000;
    await other.value("first", "1");
    expect(await other.value("third", "3")).toBe(3);
    expect(await names()).toEqual(["first", "third"]);
    expect((await other.execute("fourth", "1")).status).toBe(404);
  } finally {
    await small.stop();
  }
});

linuxTest("between two executions a session is stopped, even if its code has left timers behind", async () => {
  await caller.value("first", "import asyncio; asyncio.run(asyncio.sleep(0))");
  const pid = await pidOf("first");
  await expect.poll(() => statOf(pid).state).toBe("T");
  const { ticks } = statOf(pid);
  await caller.value("second", "sum(range(3_000_000))");
  expect(statOf(pid)).toEqual({ state: "T", ticks });
  expect(await caller.value("first", "shared")).toBe(1);
});

test("a session ends when it was idle for too long, and an access counts anew", async () => {
  const pid = await pidOf("first");
  now += (IDLE - 1) * 1000;
  await caller.value("first", "1");
  now += (IDLE - 1) * 1000;
  expect(await caller.value("first", "shared")).toBe(1);
  await expect.poll(async () => (await server.stats()).sessions).toMatchObject([{ identifier: "first" }]);
  now += IDLE * 1000;
  expect((await server.stats()).sessions).toEqual([]);
  await expect.poll(() => isAlive(pid)).toBe(false);
});

test("a session ends at the end of its life, however often it is used", async () => {
  await caller.value("first", "x = 1");
  for (let passed = 0; passed < LIFE; passed += 900) {
    expect(await caller.value("first", "x")).toBe(1);
    now += 900_000;
  }
  expect((await caller.execute("first", "x")).body.result?.stderr).toContain("NameError");
  await end("first");
});

test("a session that is deleted while it runs is killed, and its execution tells so", async () => {
  await caller.value("first", "1");
  const pid = await pidOf("first");
  const running = caller.execute("first", "while True: pass", { timeoutInSeconds: 200 });
  await expect.poll(() => statOf(pid).state).not.toBe("T");
  expect((await end("first")).status).toBe(204);
  expect(isAlive(pid)).toBe(false);
  expect((await running).body.error?.error.code).toBe("SessionDeleted");
});

test("a session whose process was killed from outside begins anew", async () => {
  await caller.value("first", "x = 1");
  const pid = await pidOf("first");
  process.kill(pid, "SIGKILL");
  await expect.poll(async () => (await server.stats()).sessions).toEqual([]);
  expect((await caller.execute("first", "x")).body.result?.stderr).toContain("NameError");
});

linuxTest("sandboxes end with the server, even if it is killed while they run or rest", async () => {
  const args = ["local/code-sessions/main.ts", "--key", KEY, "--cache", CODE_CACHE];
  const child = new Child({
    name: "code-sessions",
    ports: { port: 0 },
    args: ({ port }) => [...args, "--port", String(port)],
    cwd: path.join(import.meta.dirname, "../../.."),
    env: process.env,
    log: () => {},
    onDeath: () => {},
  });
  await child.start();
  const other = new Caller(`http://127.0.0.1:${child.ports.port}`);
  await Promise.all([other.value("resting", "1"), other.value("running", "1")]);
  const stats = await (await fetch(`http://127.0.0.1:${child.ports.port}/_local/stats`)).json();
  const pids = (stats as { sessions: { pid: number }[] }).sessions.map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  void other.execute("running", "while True: pass", { timeoutInSeconds: 200 }).catch(() => {});
  await expect.poll(() => pids.map((pid) => statOf(pid).state).sort()).toEqual(["R", "T"]);
  await child.kill("SIGKILL");
  await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([]);
});

test("a broken snapshot is thrown away: the session starts without it", async () => {
  const cache = await mkdtemp(path.join(tmpdir(), "code-sessions-"));
  const names = (await readdir(CODE_CACHE)).filter((name) => name.endsWith(".snapshot"));
  for (const name of names) await writeFile(path.join(cache, name), "no snapshot");
  const lame = await startCodeSessions({ key: KEY, cache, keepsSpare: false });
  try {
    expect(await new Caller(lame.endpoint).value("first", "1 + 1")).toBe(2);
    expect((await lame.stats()).starts).toMatchObject({ fallback: 1, snapshot: 0 });
    expect(await readdir(cache)).not.toEqual(names);
  } finally {
    await lame.stop();
    await rm(cache, { recursive: true });
  }
}, 60_000);
