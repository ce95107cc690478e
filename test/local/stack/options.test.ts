/** The command line of `npm start` and `npm run dev`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { remarks } from "../../../local/workplace.ts";
import { Program } from "./program.ts";

const appDir = path.join(import.meta.dirname, "app");
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "options-"));
});
afterAll(async () => {
  Program.killAll();
  await rm(dataDir, { recursive: true });
});

const start = (args: string[], env: Record<string, string> = {}) =>
  new Program(["local/start.ts", "--data", dataDir, "--app", appDir, ...args], env);

/** Everything that a command says which ends by itself, with its exit code. */
async function said(program: string, args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  return { code, output };
}

test.each(["local/start.ts", "local/dev.ts"])("%s --help tells all options, and starts nothing", async (program) => {
  const { code, output } = await said(program, ["--help"]);
  expect(code).toBe(0);
  for (const option of [
    "data",
    "reset",
    "port",
    "cosmos-port",
    "service-bus-port",
    "model-port",
    "code-port",
    "host",
    "cors",
  ]) {
    expect(output).toContain(`\n  --${option} `);
  }
});

test.each<[args: string[], env: Record<string, string>, said: string]>([
  [["--colour"], {}, "Unknown option '--colour'. See npm start -- --help.\n"],
  [[], { COSMOS_PORT: "70000" }, 'COSMOS_PORT must be a port number, not "70000".\n'],
  [[], { MAX_CODE_SESSIONS: "0" }, 'MAX_CODE_SESSIONS must be a whole number from 1, not "0".\n'],
  [[], { CODE_PACKAGES: "all" }, 'CODE_PACKAGES must be off, cache or fetch, not "all".\n'],
  [[], { COSMOS_PORT: "7071" }, "PORT and COSMOS_PORT are both 7071: each server needs a port of its own.\n"],
  [
    ["--model-port", "5673"],
    {},
    "SERVICE_BUS_PORT + 1 and MODEL_PORT are both 5673: each server needs a port of its own.\n",
  ],
  [
    ["--cors", "http://localhost:3000/"],
    {},
    '--cors: "http://localhost:3000/" is no origin: say http://localhost:3000.\n',
  ],
])("%j %j is refused in one line", async (args, env, output) => {
  const usual = { PORT: "", COSMOS_PORT: "", SERVICE_BUS_PORT: "", MODEL_PORT: "", MODEL_ENDPOINT: "" };
  expect(await said("local/start.ts", args, { ...usual, ...env })).toEqual({ code: 1, output });
});

test("a second start on the same data is told where the first one runs, and harms nothing; so is --reset", async () => {
  const env = { API_KEYS: "acme:given", MODEL_KEY: "unused", COSMOS_DATABASE: "elsewhere", NODE_USE_ENV_PROXY: "1" };
  await writeFile(path.join(dataDir, "api-key"), "kept\n");
  // Through a proxy that is not there, no server of this machine would be found healthy.
  const first = start(["--cors", "http://localhost:3000"], { ...env, HTTP_PROXY: "http://127.0.0.1:9" });
  await first.says("-d '{");
  const url = first.output.match(/Base URL {2}(\S+)\/v1/)?.[1] ?? "";
  expect(first.output).toContain("COSMOS_DATABASE: not used, as the local servers have their own.\n");
  expect(first.output).toContain("MODEL_KEY: not used, as MODEL_ENDPOINT is not set.\n");
  expect(first.output).toContain(`API_KEYS is set: the key in ${dataDir}/api-key is not valid meanwhile.\n`);
  const preflight = { origin: "http://localhost:3000", "access-control-request-method": "POST" };
  const { status, headers } = await fetch(`${url}/v1/settings`, { method: "OPTIONS", headers: preflight });
  expect([status, headers.get("access-control-allow-origin")]).toEqual([204, "http://localhost:3000"]);
  const read = await fetch(`${url}/v1/settings`, { headers: { origin: "http://localhost:3000" } });
  expect([read.status, read.headers.get("access-control-allow-origin")]).toEqual([200, "http://localhost:3000"]);

  const journal = () => readFile(path.join(dataDir, "cosmos", "journal.jsonl"), "utf8");
  const before = await journal();
  for (const args of [[], ["--reset"]]) {
    const second = start(args);
    expect(await second.ended).toEqual([1, null]);
    expect(second.output).toBe(
      `Threadkeep is already running at ${url} (pid ${first.pid}) on the data in ${dataDir}. ` +
        "For a second one beside it, choose --data and other ports.\n",
    );
  }
  expect(await journal()).toBe(before);
  first.child.kill("SIGKILL");
  await first.ended;
});

test("--reset removes the data but not the key, and says so; a real endpoint is asked for its models", async () => {
  await writeFile(path.join(dataDir, "api-key"), "kept\n");
  await writeFile(path.join(dataDir, "mine.txt"), "not the app's");
  const models = createServer((_, response) => void response.end('{"data":[{"id":"llama3"}]}')).listen(0, "127.0.0.1");
  await once(models, "listening");
  const address = models.address();
  const endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/v1`;
  const program = start(["--reset"], { MODEL_ENDPOINT: endpoint });
  await program.says(`-d '{"model": "llama3",`);
  expect(program.output).toContain("API key   kept\n");
  expect(program.output).toContain(`Model     ${endpoint} answers; its models: llama3\n`);
  expect(program.output).toMatch(/^Removed from .*: cosmos, service-bus(, blobs)?\. The API key stays\.$/m);
  expect(await readdir(dataDir)).toEqual(expect.arrayContaining(["api-key", "mine.txt"]));
  program.child.kill("SIGTERM");
  expect(await program.ended).toEqual([0, null]);
  models.close();
});

test("what keeps the app from starting is said once", async () => {
  const program = start([], { APP_FAILS: "at start" });
  expect(await program.ended).toEqual([1, null]);
  expect(program.output.match(/this app cannot start/g)).toHaveLength(1);
  expect(program.output).toContain("functions ended while starting (exit code 1).");
});

test("an app that other machines can reach is warned of", () => {
  const ports = { cosmos: 0, serviceBus: 0, serviceBusControl: 0, model: 0, blobs: 0, code: 0, functions: 0 };
  const on = (host: string) => remarks({ dataDir, appDir, ports, host, cors: undefined, reset: false }).join("\n");
  for (const host of ["0.0.0.0", "::", "192.168.1.7"]) expect(on(host)).toContain(`the app listens on ${host}: other`);
  for (const host of ["127.0.0.1", "::1", "localhost"]) expect(on(host)).not.toContain("Warning");
});
