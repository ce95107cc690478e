import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Child } from "../../../local/child.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { until } from "./host-process.ts";

const PROJECT = path.join(import.meta.dirname, "../../..");
const GROUPS = ["http", "function:run-worker", "function:dead-letters", "function:sweep"];

interface Run {
  id: string;
  thread_id: string;
  status: string;
}

/** The app as Flex Consumption runs it: HTTP on instances of its own, and each other function, too. */
describe("an app with a host for each of its scale groups", () => {
  let stack: Stack;
  let hosts: Child[];
  let base: string;

  const call = async <T>(method: string, route: string, body?: object) => {
    const headers = { authorization: `Bearer ${stack.apiKey}`, "content-type": "application/json" };
    const response = await fetch(`${base}${route}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  };

  const startRun = async () => {
    const assistant = await call<{ id: string }>("POST", "/assistants", { model: "simulated-model" });
    const thread = { messages: [{ role: "user", content: "Hello" }] };
    return call<Run>("POST", "/threads/runs", { assistant_id: assistant.id, thread });
  };

  beforeAll(async () => {
    // Its host serves all functions, and is stopped as soon as the servers around it are up.
    stack = await startStack();
    await stack.processes.functions.kill();
    hosts = await Promise.all(GROUPS.map((group) => startHost(stack, group)));
    base = `http://127.0.0.1:${hosts[0]?.ports.port}/v1`;
  });
  afterAll(async () => {
    await Promise.all(hosts.map((host) => host.kill()));
    await stack.stop();
  });

  it("has every function in exactly one of them", async () => {
    const listed = await Promise.all(hosts.map(({ ports }) => functionsOf(ports.port)));
    expect(listed.slice(1)).toEqual([["run-worker"], ["dead-letters"], ["sweep"]]);
    expect(listed[0]?.length).toBeGreaterThan(70);
    expect(new Set(listed.flat()).size).toBe(listed.flat().length);
  });

  it("completes a background run: the request is served by one, and the wake-up by another", async () => {
    const run = await startRun();
    expect(run.status).toBe("queued");
    await until(
      async () => (await call<Run>("GET", `/threads/${run.thread_id}/runs/${run.id}`)).status === "completed",
    );
  });

  it("leaves a run queued while the group of the worker has no instance, and completes it when there is one", async () => {
    const [, worker] = hosts;
    await worker?.kill();
    const run = await startRun();
    const get = () => call<Run>("GET", `/threads/${run.thread_id}/runs/${run.id}`);
    for (let look = 0; look < 20; look++) expect((await get()).status).toBe("queued");
    await worker?.start();
    await until(async () => (await get()).status === "completed");
  });
});

async function functionsOf(port: number): Promise<string[]> {
  const listed = (await (await fetch(`http://127.0.0.1:${port}/admin/functions`)).json()) as { name: string }[];
  return listed.map(({ name }) => name);
}

async function startHost(stack: Stack, group: string): Promise<Child> {
  const child = new Child({
    name: group,
    ports: { port: 0 },
    args: ({ port }) => {
      const app = ["--app", PROJECT, "--port", String(port), "--grace", "1", "--scale-group", group, "--quiet"];
      return [path.join(PROJECT, "local/functions/main.ts"), ...app];
    },
    cwd: PROJECT,
    env: { ...process.env, ...settingsOf(stack) },
    log: () => {},
    onDeath: () => {},
  });
  await child.start();
  return child;
}

/** The sample's settings, with the addresses of this stack. */
function settingsOf({ apiKey, cosmos, serviceBus, model }: Stack): Record<string, string> {
  const sample: { Values: Record<string, string> } = JSON.parse(
    readFileSync(path.join(PROJECT, "local.settings.sample.json"), "utf8"),
  );
  return {
    ...sample.Values,
    API_KEYS: `local:${apiKey}`,
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    ServiceBusConnection: serviceBus.connectionString,
    MODEL_ENDPOINT: model.baseUrl,
    MODEL_KEY: model.key,
  };
}
