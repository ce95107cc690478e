/** `npm run first-hour` against the local servers: whole, by its command line, and with an app that has something wrong. */
import { type ChildProcess, execFile } from "node:child_process";
import path from "node:path";
import { CosmosClient } from "@azure/cosmos";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../../local/model/control.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { CHECKS } from "../../../tools/first-hour/checks/all.ts";
import { firstHour } from "../../../tools/first-hour/first-hour.ts";
import { localPlace, localSettings } from "../../../tools/first-hour/local.ts";
import { Place, type PlaceOptions } from "../../../tools/first-hour/place.ts";
import { readOptions } from "../../../tools/first-hour/settings.ts";
import { buildIfStale } from "../../e2e/build.ts";
import { until } from "../../e2e/harness.ts";
import { putFaults } from "../../faults/inject.ts";
import { allDocs, answeredThread } from "../check-store/good-threads.ts";

const MAIN = path.resolve(import.meta.dirname, "../../../tools/first-hour/main.ts");
const KEY = "the-key-of-the-first-hour";
const WHOLE = 200_000;

let stack: Stack;
let client: CosmosClient;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({ env: localSettings(KEY), code: {} });
  const { endpoint, key } = stack.cosmos;
  client = new CosmosClient({ endpoint, key });
});
afterAll(async () => {
  client?.dispose();
  await stack?.stop();
});

const threads = () => client.database("threadkeep").container("threads");

/** Everything in the store, once the workers have purged what was deleted. */
async function nothingIsLeft(): Promise<void> {
  const left = async () => (await threads().items.query("SELECT c.id, c.kind, c.pk FROM c").fetchAll()).resources;
  await expect.poll(left, { timeout: 45_000, interval: 100 }).toEqual([]);
  const { resources } = await client.database("threadkeep").container("catalog").items.readAll().fetchAll();
  expect(resources).toEqual([]);
}

async function failing(only: number[], changes: Partial<PlaceOptions> = {}): Promise<number[]> {
  const place = new Place({ ...localPlace(stack), ...changes });
  const { rows } = await firstHour(CHECKS, place, { write: true, only });
  expect(rows.map(({ number }) => number)).toEqual(only);
  return rows.filter(({ ok }) => ok !== "ok").map(({ number }) => number);
}

test(
  "all 30 checks are ok locally, and leave nothing",
  async () => {
    const { rows, left } = await firstHour(CHECKS, new Place(localPlace(stack)), { write: true });
    expect(rows.filter(({ ok }) => ok !== "ok")).toEqual([]);
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    expect(left).toEqual([]);
    await nothingIsLeft();
  },
  WHOLE,
);

test("an identity that may not create assistants", async () => {
  const rule = { fault: "403-3", substatus: 0, operations: ["create"], container: "catalog" };
  await putFaults(stack.cosmos.endpoint, [rule]);
  try {
    expect(await failing([1, 2, 3, 4, 13])).toEqual([4]);
  } finally {
    await putFaults(stack.cosmos.endpoint, []);
  }
});

test("a model that the endpoint does not know", async () => {
  await controlModel(stack.model.baseUrl).script("unknown", [{ status: 404 }], { repeat: true });
  expect(await failing([15, 16, 17], { model: "unknown" })).toEqual([17]);
});

test("a thread whose lock no run holds", async () => {
  const thread = answeredThread();
  Object.assign(thread.thread.internal, { active_run: "run_of_no_thread" });
  for (const doc of allDocs(thread)) await threads().items.create(doc);
  try {
    expect(await failing([1, 2, 24])).toEqual([24]);
  } finally {
    for (const { id, pk } of allDocs(thread)) await threads().item(id, pk).delete();
  }
});

/** With the settings that the app of an Azure account has in its environment. */
function command(...args: string[]): { child: ChildProcess; done: Promise<{ code: number | null; output: string }> } {
  const { cosmos, serviceBus, model } = stack;
  const env = {
    ...process.env,
    API_KEYS: `first-hour:${KEY}`,
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    ServiceBusConnection: serviceBus.connectionString,
    MODEL_ENDPOINT: model.baseUrl,
    MODEL_KEY: model.key,
  };
  const exited = Promise.withResolvers<{ code: number | null; output: string }>();
  const child = execFile(process.execPath, [MAIN, ...args], { env }, (_, stdout, stderr) =>
    exited.resolve({ code: child.exitCode, output: stdout + stderr }),
  );
  return { child, done: exited.promise };
}

const azure = (...args: string[]) => command("--target", "azure", "--app", stack.baseUrl, ...args);

test("without --write, checks that create something are not done, and no key is shown", async () => {
  const { code, output } = await azure("--only", "1,2,4,19,22,23", "--json").done;
  const { rows, runs } = JSON.parse(output) as { rows: { number: number; ok: string }[]; runs: number };
  expect(rows.map(({ number, ok }) => `${number} ${ok}`)).toEqual([
    "1 ok",
    "2 ok",
    "4 not done",
    "19 ok",
    "22 not done",
    "23 not done",
  ]);
  expect({ code, runs }).toEqual({ code: 0, runs: 0 });
  for (const secret of [KEY, stack.cosmos.key, stack.model.key, "SAS_KEY_VALUE"]) expect(output).not.toContain(secret);
});

test("a wrong key of the account is told, with exit code 1 and without the key", async () => {
  const wrong = Buffer.from("a wrong key of this account").toString("base64");
  const place = localPlace(stack);
  const config = { ...place.config, cosmos: { ...place.config.cosmos, key: wrong } };
  const { rows } = await firstHour(CHECKS, new Place({ ...place, config }), { write: true, only: [1, 3] });
  expect(rows.map(({ ok }) => ok)).toEqual(["NOT OK", "ok"]);
  expect(JSON.stringify(rows)).not.toContain(wrong);
});

test(
  "after Ctrl-C, what was created is deleted",
  async () => {
    await nothingIsLeft();
    const { child, done } = azure("--write", "--only", "20");
    await until(async () => {
      const { resources } = await threads().items.query("SELECT TOP 1 c.id FROM c").fetchAll();
      return resources.length > 0;
    });
    child.kill("SIGINT");
    const { code, output } = await done;
    expect(output).toMatch(
      /20 {2}not done .*\n.*\n.*stopped\n.*on Azure .*\n1 checks: .*\nEverything that was created is deleted\.\n$/,
    );
    expect(code).toBe(2);
    await nothingIsLeft();
  },
  WHOLE,
);

test("says what is wrong with the command line", async () => {
  expect(await command("--target", "azure").done).toEqual({
    code: 2,
    output: "say --app URL, the base URL of the deployed app\n",
  });
  expect(() => readOptions([], {})).toThrow("--target local or --target azure");
  expect(() => readOptions(["--target", "local", "--only", "first"], {})).toThrow("numbers of checks");
  expect(() => readOptions(["--target", "local", "--wirte"], {})).toThrow("--wirte");
  expect(readOptions(["--help"], {})).toBe("help");
  expect(readOptions(["--target", "azure", "--app", "https://a.example/v1"], {})).toMatchObject({ write: false });
});

// The last one: a purge that misses its thread waits for the sweep.
test("a Session account, whose replicas lag", async () => {
  const settings = (change: object) =>
    fetch(new URL("/_local/settings", stack.cosmos.endpoint), { method: "PUT", body: JSON.stringify(change) });
  await settings({ consistency: "session", lagMs: 250 });
  try {
    expect(await failing([1, 2, 3, 20])).toEqual([1, 20]);
  } finally {
    await settings({ consistency: "strong", lagMs: 0 });
  }
});
