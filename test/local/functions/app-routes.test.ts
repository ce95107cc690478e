import { afterAll, beforeAll, expect, it } from "vitest";
import { type Host, startHost } from "../../../local/functions/host.ts";
import { BASES, isServed } from "../../../src/api/bases.ts";
import { operations } from "../../../src/api/operations/index.ts";

const PROJECT = new URL("../../..", import.meta.url).pathname;

/** A start needs no more: the operations are found before a key is asked for or the store is read. */
const SETTINGS = {
  COSMOS_ENDPOINT: "http://127.0.0.1:1",
  COSMOS_KEY: "a2V5",
  MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
  ServiceBusConnection: "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=a2V5;",
  SHOW_COSTS: "true",
  ...Object.fromEntries(["run-worker", "dead-letters", "sweep"].map((name) => [`AzureWebJobs.${name}.Disabled`, "1"])),
};

/** A path for each operation under each base, and the function that must answer it. */
const operationPaths = BASES.flatMap(({ prefix, suffix, ...base }) =>
  operations
    .filter((operation) => isServed(operation, { prefix, suffix, ...base }))
    .map(({ name, method, path }): [string, string, string] => [
      method,
      `/${prefix}/${path}`.replaceAll(/\{(\w+)\}/g, "a-$1"),
      `${name}${suffix}`,
    ]),
);

let host: Host;
let executed: string[] = [];

beforeAll(async () => {
  Object.assign(process.env, SETTINGS);
  const write = (_level: string, name: string, message: string) => {
    if (message === "executing") executed.push(name);
  };
  host = await startHost({ appDir: PROJECT, port: 0, log: { write }, killWorker: () => {} });
});
afterAll(() => host.stop());

async function executedBy(method: string, path: string): Promise<string[]> {
  executed = [];
  const response = await fetch(`http://127.0.0.1:${host.port}${path}`, { method });
  await response.arrayBuffer();
  return executed;
}

it("has a path for every operation under every base", () => {
  expect(operationPaths.length).toBeGreaterThanOrEqual(73);
  expect(host.functions.filter(({ trigger }) => trigger === "httpTrigger")).toHaveLength(operationPaths.length + 4);
});

it.each(operationPaths)(
  "%s %s is answered by %s, in the order in which the host tries routes",
  async (...operation) => {
    const [method, path, name] = operation;
    expect(await executedBy(method, path)).toEqual([name]);
  },
);

it.each([
  ["GET", "/healthz", "healthz"],
  ["GET", "/openapi.json", "openapi"],
  ["GET", "/costs", "costs"],
  ["GET", "/v1/nowhere", "zNotFound"],
  ["DELETE", "/", "zNotFound"],
])("%s %s is answered by %s", async (method, path, name) => {
  expect(await executedBy(method, path)).toEqual([name]);
});
