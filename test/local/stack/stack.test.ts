import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Child, Exit } from "../../../local/child.ts";
import { controlModel } from "../../../local/model/control.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { isAlive } from "./processes.ts";

const appDir = path.join(import.meta.dirname, "app");
const withoutRealModel = { MODEL_ENDPOINT: "" };

async function settingsOf(stack: Stack): Promise<Record<string, string>> {
  return (await fetch(`${stack.baseUrl}/settings`)).json() as Promise<Record<string, string>>;
}

function pidsOf(stack: Stack): number[] {
  return Object.values(stack.processes)
    .flat()
    .map((child: Child) => child.pid ?? 0);
}

describe("a stack with the simulated model", () => {
  let stack: Stack;
  let folder: string;
  const deaths: [string, Exit][] = [];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "stack-"));
    stack = await startStack({
      appDir,
      env: { ...withoutRealModel, MODEL_API_VERSION: "of-another-model", EXTRA: "setting" },
      log: path.join(folder, "log", "servers.txt"),
      lockDuration: 2,
      onDeath: (child, exit) => deaths.push([child.name, exit]),
    });
  });
  afterAll(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });

  test("gives the app the addresses and keys of its servers", async () => {
    expect(await settingsOf(stack)).toMatchObject({
      COSMOS_ENDPOINT: stack.cosmos.endpoint,
      COSMOS_KEY: stack.cosmos.key,
      COSMOS_DATABASE: "threadkeep",
      COSMOS_CREATE_CONTAINERS: "true",
      ServiceBusConnection: stack.serviceBus.connectionString,
      MODEL_ENDPOINT: stack.model.baseUrl,
      MODEL_KEY: stack.model.key,
      MODEL_API_VERSION: "",
      API_KEYS: `local:${stack.apiKey}`,
      EXTRA: "setting",
    });
  });

  test("has a model that answers to its key and can be scripted from outside", async () => {
    const client = new OpenAI({ baseURL: stack.model.baseUrl, apiKey: stack.model.key });
    await controlModel(stack.model.baseUrl).script("stack-model", [{ text: "from the script" }]);
    const messages = [{ role: "user" as const, content: "hi" }];
    const completion = await client.chat.completions.create({ model: "stack-model", messages });
    expect(completion.choices[0]?.message.content).toBe("from the script");
  });

  test("restarts a killed server on the same port and reports no death", async () => {
    const { functions } = stack.processes;
    const pid = functions.pid ?? 0;
    expect(await functions.kill("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
    await expect(settingsOf(stack)).rejects.toThrow();
    await functions.restart();
    expect(functions.pid).not.toBe(pid);
    expect(await settingsOf(stack)).toMatchObject({ EXTRA: "setting" });
    expect(deaths).toEqual([]);
  });

  test("tells of a server that dies by itself", async () => {
    const { model } = stack.processes;
    const exited = model?.exited;
    process.kill(model?.pid ?? 0, "SIGKILL");
    await exited;
    expect(deaths).toEqual([["model", { code: null, signal: "SIGKILL" }]]);
    await model?.restart();
  });

  test("writes the output of all servers to the log file, each line with its server", async () => {
    const log = await readFile(path.join(folder, "log", "servers.txt"), "utf8");
    for (const name of ["cosmos", "service-bus", "model", "functions"]) expect(log).toContain(`[${name}] `);
  });
});

test("a real model's settings pass through and no simulated model is started", async () => {
  const real = { MODEL_ENDPOINT: "https://models.example/v1", MODEL_KEY: "real", MODEL_API_VERSION: "2024-10-21" };
  const stack = await startStack({ appDir, env: { ...real, API_KEYS: "acme:key-1,other:key-2" } });
  expect(stack.processes.model).toBeUndefined();
  expect(stack.model).toEqual({ baseUrl: real.MODEL_ENDPOINT, key: "real", isSimulated: false });
  expect(stack.apiKey).toBe("key-1");
  expect(await settingsOf(stack)).toMatchObject({ ...real, API_KEYS: "acme:key-1,other:key-2" });
  const pids = pidsOf(stack);
  expect(pids.every(isAlive)).toBe(true);
  await stack.stop();
  expect(pids.some(isAlive)).toBe(false);
});

test("an app that cannot start is reported with what it said", async () => {
  const env = { ...withoutRealModel, APP_FAILS: "at start" };
  await expect(startStack({ appDir, env })).rejects.toThrow(
    /functions ended while starting \(exit code 1\)\.\n[\s\S]*this app cannot start/,
  );
});
