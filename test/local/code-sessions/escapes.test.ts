/**
 * What code in a session tries against the machine it runs on: from Python, and from JavaScript, which Python reaches in
 * Pyodide. Behind it are a server that counts its visitors, a file with a secret, and this process. A hit is a failure.
 */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type CodeSessions, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { awaitedJavaScript, Caller, javaScript, KEY } from "./caller.ts";

const SECRET = "the-secret-of-this-machine";
const LONGEST_PREPARATION = 180_000;
// A session begins within a second, or within ten on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let secretFile: string;
let canary: Server;
let visits = 0;
let server: CodeSessions;
let caller: Caller;
let signals: string[] = [];
const note = (signal: NodeJS.Signals) => signals.push(signal);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "escapes-"));
  secretFile = path.join(folder, "secret.txt");
  await writeFile(secretFile, SECRET);
  canary = createServer((_, response) => response.end(SECRET)).listen(0, "127.0.0.1");
  await once(canary, "listening");
  canary.on("connection", () => (visits += 1));
  process.on("SIGUSR2", note);
  process.on("SIGCONT", note);
  server = await startCodeSessions({ key: KEY, cache: CODE_CACHE, keepsSpare: false });
  caller = new Caller(server.endpoint);
  await server.prepare();
}, LONGEST_PREPARATION);

afterAll(async () => {
  await server?.stop();
  canary?.close();
  process.off("SIGUSR2", note);
  process.off("SIGCONT", note);
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  visits = 0;
  signals = [];
});

const portOf = () => (canary.address() as AddressInfo).port;

/** Runs an attack in the session that all of them share, and returns all that came of it. Fails on a hit. */
async function attack(code: string, identifier = "attacker"): Promise<string> {
  const filled = code
    .replaceAll("PORT", String(portOf()))
    .replaceAll("SECRET_FILE", secretFile)
    .replaceAll("FOLDER", folder)
    .replaceAll("PARENT", String(process.pid));
  const { status, body } = await caller.execute(identifier, filled, { timeoutInSeconds: 30 });
  const told = JSON.stringify(body);
  expect(status).toBe(200);
  expect(visits).toBe(0);
  expect(signals).toEqual([]);
  expect(told).not.toContain(SECRET);
  expect(await readdir(folder)).toEqual(["secret.txt"]);
  expect(readFileSync(secretFile, "utf8")).toBe(SECRET);
  return told;
}

/** JavaScript that throws is worth its error. */
const tried = (source: string) => javaScript(`try { ${source} } catch (error) { String(error) }`);

test("the traps work: what this test may do itself would be noticed", async () => {
  expect(await (await fetch(`http://127.0.0.1:${portOf()}`)).text()).toBe(SECRET);
  expect(visits).toBe(1);
  process.kill(process.pid, "SIGUSR2");
  await expect.poll(() => signals).toEqual(["SIGUSR2"]);
  expect(await caller.value("attacker", javaScript("typeof Deno + typeof process + (6 * 7)"))).toBe("objectobject42");
  expect(await caller.value("attacker", awaitedJavaScript("return 6 * 7"))).toBe("42");
});

test.each<[what: string, python: string, refusal: RegExp]>([
  ["import js", "import js", /ModuleNotFoundError/],
  ["import pyodide_js", "import pyodide_js", /ModuleNotFoundError/],
  ["a socket", "import socket\nsocket.create_connection(('127.0.0.1', PORT), 2)", /OSError|unreachable/],
  ["urllib", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:PORT').read()", /URLError/],
  ["open_url", "from pyodide.http import open_url\nopen_url('http://127.0.0.1:PORT').read()", /Error/],
  ["a file of the host", "open('SECRET_FILE').read()", /FileNotFoundError/],
  ["the host's users", "open('/etc/passwd').read()", /FileNotFoundError/],
  ["a new file", "open('FOLDER/new', 'w')", /FileNotFoundError/],
  ["a subprocess", "import subprocess\nsubprocess.run(['id'])", /does not support processes/],
  ["a fork", "import os\nos.fork()", /AttributeError|OSError/],
  ["a thread", "import threading\nthreading.Thread(target=print).start()", /can't start new thread/],
  ["a signal to the parent", "import os, signal\nos.kill(os.getppid(), signal.SIGUSR2)", /Error/],
  ["a signal to this process", "import os, signal\nos.kill(PARENT, signal.SIGUSR2)", /Error/],
  ["the environment", "import os\nsorted(os.environ)", /"HOME","/],
  ["input", "input('your password: ')", /EOFError/],
  ["micropip", "import micropip", /ModuleNotFoundError/],
  ["a host folder to mount", "import pyodide_js\npyodide_js.mountNodeFS('/x', '/')", /ModuleNotFoundError/],
])("Python: %s is out of reach", async (_, python, refusal) => {
  expect(await attack(python)).toMatch(refusal);
});

const REFUSED = /NotCapable|EPERM/;

test.each<[what: string, source: string, refusal?: RegExp]>([
  ["reading a file", "Deno.readTextFileSync('SECRET_FILE')"],
  ["reading it as Node", "process.getBuiltinModule('fs').readFileSync('SECRET_FILE', 'utf8')"],
  ["requiring it", "process.getBuiltinModule('module').createRequire('/')('SECRET_FILE')"],
  ["its size", "Deno.statSync('SECRET_FILE').size"],
  ["a way around by dots", "Deno.readTextFileSync(Deno.args[0] + '/../zod/package.json')"],
  ["a way around by NUL", "Deno.readTextFileSync(Deno.args[0] + '/a\\0/../../zod/package.json')"],
  ["the harness's own source", "Deno.readTextFileSync(new URL(Deno.mainModule))"],
  ["a link to a file", "Deno.symlinkSync('SECRET_FILE', Deno.args[0] + '/link')"],
  ["the environment of the process", "Deno.readTextFileSync('/proc/self/environ')"],
  ["the memory of the process", "process.getBuiltinModule('fs').openSync('/proc/self/mem', 'r+')"],
  ["an environment variable", "Deno.env.get('PATH')"],
  ["all environment variables", "JSON.stringify(process.env)"],
  ["writing a file", "Deno.writeTextFileSync('FOLDER/new', 'x')"],
  ["a temporary file", "Deno.makeTempFileSync()"],
  ["changing Pyodide", "Deno.writeTextFileSync(Deno.args[0] + '/pyodide.mjs', '')"],
  ["a file beside Pyodide", "Deno.createSync(Deno.args[0] + '/evil.mjs')"],
  ["changing the snapshot", "Deno.truncateSync(Deno.args[2])"],
  ["removing the snapshot", "Deno.removeSync(Deno.args[2])"],
  ["watching files", "Deno.watchFs('FOLDER')"],
  ["a database in a file", "new (process.getBuiltinModule('sqlite').DatabaseSync)('FOLDER/x.db')"],
  [
    "a database attached",
    "new (process.getBuiltinModule('sqlite').DatabaseSync)(':memory:').exec(\"ATTACH 'FOLDER/x' AS x\")",
    /max 0/,
  ],
  ["a program", "new Deno.Command('/usr/bin/id').outputSync()"],
  ["a program as Node", "process.getBuiltinModule('child_process').execFileSync('/usr/bin/id')"],
  ["a signal to the parent", "Deno.kill(Deno.ppid, 'SIGUSR2')"],
  ["a signal as Node", "process.kill(process.ppid, 'SIGUSR2')"],
  ["a question whether it lives", "process.kill(process.ppid, 0)"],
  ["a signal to the group of processes", "Deno.kill(0, 'SIGCONT')"],
  ["a signal to all processes", "Deno.kill(-1, 'SIGCONT')"],
  ["a signal to the parent's group", "Deno.kill(-Deno.ppid, 'SIGCONT')"],
  ["a signal to an id that overflows", "Deno.kill(Deno.ppid + 2 ** 32, 'SIGUSR2')"],
  ["another priority for the parent", "process.getBuiltinModule('os').setPriority(process.ppid, 19)"],
  ["a library of C", "Deno.dlopen('libc.so.6', {})"],
  ["an addon", "process.dlopen({ exports: {} }, 'FOLDER/x.node')"],
  ["a pointer", "Deno.UnsafePointer.create(1n)"],
  ["memory behind a pointer", "new Deno.UnsafePointerView({}).getUint8()", /expected external/],
  ["a callback of C", "new Deno.UnsafeCallback({ parameters: [], result: 'void' }, () => {})"],
  ["the host's name", "Deno.hostname()"],
  ["the user's name", "process.getBuiltinModule('os').userInfo().username"],
  ["the machine's memory", "Deno.systemMemoryInfo()"],
  ["network interfaces", "Deno.networkInterfaces()"],
  ["another user", "process.setuid(0)"],
  ["a listening socket", "Deno.listen({ port: 0 })"],
  ["a listening UDP socket", "Deno.listenDatagram({ port: 0, transport: 'udp' })", /NotCapable|not a function/],
  ["more permissions", "Deno.permissions.requestSync({ name: 'net' }).state", /"denied"/],
  ["storage", "typeof localStorage + typeof caches + typeof indexedDB", /"undefinedundefinedundefined"/],
  [
    "workers and sockets of the web",
    "typeof Worker + typeof WebSocket + typeof fetch",
    /"undefinedundefinedundefined"/,
  ],
  ["Deno's insides", "typeof Deno.core + typeof __bootstrap + typeof Deno.openKv", /"undefinedundefinedundefined"/],
  [
    "a realm with more in it",
    "process.getBuiltinModule('vm').runInNewContext('typeof fetch + typeof Deno')",
    /"undefinedundefined"/,
  ],
  [
    "other open descriptors",
    "[3, 4, 5, 6, 7, 8, 9, 12, 20].filter((n) => { try { return process.getBuiltinModule('fs').fstatSync(n) } catch { return false } }).length + ' open'",
    /"0 open"/,
  ],
])("JavaScript: %s is refused", async (_, source, refusal = REFUSED) => {
  expect(await attack(tried(source))).toMatch(refusal);
});

const inThread = (source: string) => `const { Worker } = await import("node:worker_threads");
  const text = ${JSON.stringify(`const { parentPort } = require("node:worker_threads"); (async () => { ${source} })()
    .then((value) => parentPort.postMessage(String(value)), (error) => parentPort.postMessage(String(error)))`)};
  const worker = new Worker(text, { eval: true });
  const said = await new Promise((resolve) => { worker.on("message", resolve); worker.on("error", resolve) });
  await worker.terminate();
  return said;`;
const viaEvents = (start: string) =>
  `return await new Promise((resolve) => { const it = ${start}; it.on("connect", () => resolve("IN")); it.on("error", resolve) })`;

test.each<[what: string, source: string, refusal?: RegExp]>([
  ["TCP", "await Deno.connect({ hostname: '127.0.0.1', port: PORT }); return 'IN'"],
  ["TLS", "await Deno.connectTls({ hostname: '127.0.0.1', port: PORT }); return 'IN'"],
  ["a Unix socket", "await Deno.connect({ transport: 'unix', path: 'FOLDER/x' }); return 'IN'"],
  ["TCP as Node", viaEvents("process.getBuiltinModule('net').connect(PORT, '127.0.0.1')")],
  ["HTTP as Node", viaEvents("process.getBuiltinModule('http').get('http://127.0.0.1:PORT/')")],
  ["HTTP/2 as Node", viaEvents("process.getBuiltinModule('http2').connect('http://127.0.0.1:PORT/')")],
  ["DNS", "return await Deno.resolveDns('localhost', 'A')"],
  ["DNS as Node", "return (await process.getBuiltinModule('dns').promises.lookup('localhost')).address", /EPERM/],
  ["a module by http", "return await import('http://127.0.0.1:PORT/x.js')", /no-remote/],
  ["a module of npm's", "return await import('npm:zod')", /no-npm/],
  ["a module of jsr's", "return await import('jsr:@std/fs')", /no-remote/],
  ["a module from a file", "return await import('file://SECRET_FILE')", /read access/],
  [
    "a file as a module of text",
    "return await import('file://SECRET_FILE', { with: { type: 'text' } })",
    /read access/,
  ],
  ["the inspector", "(await import('node:inspector')).open(0); return 'OPEN'"],
  [
    "folders by WASI",
    "new (await import('node:wasi')).WASI({ version: 'preview1', preopens: { '/': '/' } })",
    /preopen/,
  ],
  ["processes by cluster", "(await import('node:cluster')).default.fork(); return 'FORKED'"],
  ["a thread's fetch", inThread("return await (await fetch('http://127.0.0.1:PORT')).text()")],
  ["a thread's files", inThread("return Deno.readTextFileSync('SECRET_FILE')")],
  [
    "a thread's caches, which would be on the disk",
    inThread("await caches.open('x'); return 'CACHED'"),
    /Failed to create/,
  ],
  ["a thread's storage", inThread("localStorage.a = '1'; return 'STORED'"), /Error/],
  ["a thread's signals", inThread("process.kill(process.ppid, 'SIGUSR2'); return 'SENT'")],
])("JavaScript that waits: %s is refused", async (_, source, refusal = REFUSED) => {
  const told = await attack(awaitedJavaScript(source));
  expect(told).toMatch(refusal);
  expect(told).not.toMatch(/"IN"|"OPEN"|"FORKED"|"CACHED"|"STORED"|"SENT"/);
});

test("JavaScript that Python keeps by other ways has no more permissions", async () => {
  const python = `from _pyodide import _importhook
proxies = [getattr(finder, "jsproxies", {}) for finder in [_importhook.jsfinder]][0]
constructor = proxies["pyodide_js"].constructor.constructor
constructor("try { return Deno.readTextFileSync('SECRET_FILE') } catch (error) { return String(error) }")()`;
  expect(await attack(python)).toMatch(REFUSED);
});

test("a module of data runs, and may do no more than the code that loads it", async () => {
  const module = "data:text/javascript,export default Deno.readTextFileSync('SECRET_FILE')";
  expect(await attack(awaitedJavaScript(`return (await import(${JSON.stringify(module)})).default`))).toMatch(REFUSED);
});

test("a shell command ends the session and runs nowhere", async () => {
  const told = await attack("import os\nos.system('touch FOLDER/ran')", "shell");
  expect(told).toContain("SessionCrashed");
  expect(existsSync(path.join(folder, "ran"))).toBe(false);
});

test("a network request that fails late ends no other session and reaches nothing", async () => {
  const send = "process.getBuiltinModule('dgram').createSocket('udp4').send('x', PORT, '127.0.0.1')";
  await attack(tried(send), "shell");
  expect(await attack("1 + 1")).toContain('"executionResult":2');
});

test("timers that code leaves behind run neither between cells nor in another session", async () => {
  await attack(javaScript("globalThis.beats = 0; setInterval(() => { globalThis.beats++ }, 1); ''"));
  const before = Number(await caller.value("attacker", javaScript("String(globalThis.beats)")));
  // Some 300 beats of a clock that goes on. An execution itself lets a few pass.
  await attack("import time; time.sleep(0.3)", "shell");
  expect(Number(await caller.value("attacker", javaScript("String(globalThis.beats)")))).toBeLessThan(before + 20);
  expect(await caller.value("shell", javaScript("typeof globalThis.beats"))).toBe("undefined");
});

test("names of files that code has made come as they are, and lead out of its folder nowhere", async () => {
  const python = `import os
os.chdir("/mnt/data")
for name in ("a\\nb", "\\u202egnp", "%2e%2e", "-rf", "x" * 200, "con.txt"):
    open(name, "w").close()
os.symlink("/", "root"); os.symlink("/etc", "etc"); os.symlink("self", "self"); os.symlink("/lib/python314.zip", "zip")
os.makedirs("deep/" * 100); os.symlink("/mnt/data", "deep/loop"); os.mkdir("dotted.dir")
os.mkfifo("pipe") if hasattr(os, "mkfifo") else None`;
  await caller.execute("namer", python);
  const list = await caller.send<{ value: { name: string; type: string }[] }>(
    "GET",
    caller.url("/files", { identifier: "namer", recursive: "true" }),
  );
  const names = list.body.value.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["a\nb", "\u202egnp", "%2e%2e", "-rf", "con.txt", "dotted.dir"]));
  for (const link of ["root", "etc", "self", "loop"]) expect(names).not.toContain(link);
  const statusOf = async (name: string, more = {}) =>
    (await caller.send("GET", caller.url(`/files/${name}/content`, { identifier: "namer", ...more }))).status;
  expect(await statusOf(encodeURIComponent("a\nb"))).toBe(200);
  expect(await statusOf("%252e%252e")).toBe(200);
  for (const name of ["..%2f..%2fetc%2fpasswd", "%00", "..%5cx", "self", "root"]) {
    expect([400, 404]).toContain(await statusOf(name));
  }
  for (const folderName of ["root/etc", "deep/..", "dotted.dir", "/etc"]) {
    expect([400, 404]).toContain(await statusOf("passwd", { path: folderName }));
  }
});
