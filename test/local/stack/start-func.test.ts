/** `npm run servers` and `npm run start:func`, with a stand-in for Core Tools, which no npm registry alone provides. */
import { chmod, copyFile, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { childrenOf, isAlive } from "./processes.ts";
import { Program } from "./program.ts";

let folder: string;
let app: string;
let tools: string;
const settingsFile = () => path.join(app, "local.settings.json");

beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), "start-func-")));
  app = path.join(folder, "app");
  tools = path.join(folder, "tools");
  await Promise.all([mkdir(app), mkdir(tools)]);
  await copyFile(path.join(import.meta.dirname, "func.mjs"), path.join(tools, "func"));
  await chmod(path.join(tools, "func"), 0o755);
});
afterAll(async () => {
  Program.killAll();
  await rm(folder, { recursive: true });
});

const linuxTest = test.skipIf(process.platform !== "linux");
const startFunc = (env: Record<string, string>) =>
  new Program(["local/start-func.ts", "--data", path.join(folder, "data"), "--app", app], env);

async function settings(): Promise<Record<string, string>> {
  return JSON.parse(await readFile(settingsFile(), "utf8")).Values;
}

interface Started {
  cwd: string;
  args: string[];
  node: string;
  env: Record<string, string>;
  answers: Record<string, boolean>;
}

/** What the stand-in said of its start. */
async function started(program: Program): Promise<Started> {
  await program.says("\nfunc {");
  return JSON.parse(/^func (.*)$/m.exec(program.output)?.[1] ?? "");
}

linuxTest("start:func runs func on the local servers and writes the settings that it needs", async () => {
  const env = { PATH: `${tools}:${process.env.PATH}`, PORT: "7099", COSMOS_ENDPOINT: "https://another.example" };
  const program = startFunc(env);
  const func = await started(program);
  expect(func).toMatchObject({
    cwd: app,
    args: ["start", "--port", "7099"],
    node: process.version,
    answers: { cosmos: true, model: true, storage: true },
  });
  expect(func.env).not.toHaveProperty("COSMOS_ENDPOINT");
  expect((await stat(settingsFile())).mode & 0o777).toBe(0o600);
  const key = (await readFile(path.join(folder, "data", "api-key"), "utf8")).trim();
  expect(await settings()).toMatchObject({
    FUNCTIONS_WORKER_RUNTIME: "node",
    API_KEYS: `local:${key}`,
    ServiceBusConnection: expect.stringMatching(/^Endpoint=sb:\/\/127\.0\.0\.1:\d+;/),
  });
  const children = childrenOf(program.pid);
  expect(children).toHaveLength(6);
  program.child.kill("SIGTERM");
  expect(await program.ended).toEqual([0, null]);
  expect(children.some(isAlive)).toBe(false);
});

linuxTest("it leaves settings alone that are there, and says when they name other servers", async () => {
  const own = JSON.stringify({
    Values: { COSMOS_ENDPOINT: "http://127.0.0.1:1", MODEL_ENDPOINT: "http://127.0.0.1:2" },
  });
  await writeFile(settingsFile(), own);
  const failing = path.join(folder, "failing");
  await mkdir(failing);
  await writeFile(path.join(failing, "func"), "#!/bin/sh\nexit 3\n", { mode: 0o755 });
  const program = startFunc({ PATH: `${failing}:${process.env.PATH}` });
  expect(await program.ended).toEqual([3, null]);
  expect(await readFile(settingsFile(), "utf8")).toBe(own);
  expect(program.output).toMatch(/does not name the servers that run now in: .*COSMOS_ENDPOINT/);
});

test("without Core Tools it says in two lines how to get them, and starts nothing", async () => {
  const program = startFunc({ PATH: app });
  expect(await program.ended).toEqual([1, null]);
  expect(program.output).toContain("npm install -g azure-functions-core-tools@4");
  expect(program.output.trim().split("\n")).toHaveLength(2);
});

linuxTest("servers starts what the app needs, and prints settings for it", async () => {
  const program = new Program(["local/servers.ts", "--data", path.join(folder, "data")]);
  await program.says("\n}\n");
  const printed = JSON.parse(/^\{\n.*\n\}$/ms.exec(program.output)?.[0] ?? "");
  const sample = JSON.parse(await readFile("local.settings.sample.json", "utf8"));
  expect(Object.keys(printed.Values)).toEqual(Object.keys(sample.Values));
  expect((await fetch(`${printed.Values.MODEL_ENDPOINT}/models`)).status).toBe(401);
  const children = childrenOf(program.pid);
  expect(children).toHaveLength(5);
  program.child.kill("SIGINT");
  expect(await program.ended).toEqual([0, null]);
  expect(children.some(isAlive)).toBe(false);
});
