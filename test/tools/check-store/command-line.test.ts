/** `npm run check:store`, as an operator runs it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KEY as COSMOS_KEY, startCosmos } from "../../../local/cosmos/server.ts";
import { takeFolder } from "../../../local/folder-lock.ts";
import { clientFor, startWorld, type World } from "../../local/cosmos/harness.ts";
import { allDocs, answeredThread } from "./good-threads.ts";

const MAIN = path.resolve(import.meta.dirname, "../../../tools/check-store/main.ts");

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

/** With a database of this name. */
function checkStore(database: string, settings: Record<string, string> = {}, ...options: string[]) {
  const { endpoint } = world.server;
  const env = { ...process.env, COSMOS_ENDPOINT: endpoint, COSMOS_KEY, COSMOS_DATABASE: database, ...settings };
  return new Promise<{ code: number; output: string }>((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...options], { env }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
    });
  });
}

async function storeWith(database: string, change: (thread: ReturnType<typeof answeredThread>) => void): Promise<void> {
  const { database: created } = await world.client.databases.createIfNotExists({ id: database });
  const { container } = await created.containers.createIfNotExists({ id: "threads", partitionKey: { paths: ["/pk"] } });
  const thread = answeredThread();
  change(thread);
  for (const doc of allDocs(thread)) await container.items.create(doc);
}

test("says what it has looked at, and succeeds, where nothing is wrong", async () => {
  await storeWith("good", () => {});
  expect(await checkStore("good")).toEqual({
    code: 0,
    output: "1 threads, 9 documents; runs: 1 completed\nNothing is wrong.\n",
  });
});

test("names what is wrong, and fails", async () => {
  await storeWith("bad", ({ thread, run }) => void Object.assign(thread.internal, { active_run: run.id }));
  const { code, output } = await checkStore("bad");
  expect(code).toBe(1);
  expect(output).toMatch(/^lock: thread_\w+ is locked by run_\w+, which is completed \(acme:thread_\w+\)\n/);
  expect(output).toMatch(/1 violation\.\n$/);
});

test("says what it cannot do, and fails otherwise than with violations", async () => {
  const empty = await mkdtemp(path.join(tmpdir(), "check-"));
  expect(await checkStore("good", { COSMOS_ENDPOINT: "" }, "--data", empty)).toEqual({
    code: 2,
    output: `npm start has left no store in ${empty}: set COSMOS_ENDPOINT, or say --data DIR\n`,
  });
  expect(await checkStore("good", {}, "--tolerance", "soon")).toEqual({
    code: 2,
    output: '--tolerance is a number of seconds, not "soon"\n',
  });
  expect(await checkStore("absent")).toEqual({
    code: 2,
    output: `${world.server.endpoint} has no container absent/threads\n`,
  });
  await rm(empty, { recursive: true });
});

test("needs no key for a local server", async () => {
  await storeWith("keyless", () => {});
  expect(await checkStore("keyless", { COSMOS_KEY: "" })).toMatchObject({ code: 0 });
});

test("finds the store that npm start keeps, while the app runs and while it is stopped", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "check-"));
  const server = await startCosmos({ data: path.join(folder, "cosmos") });
  const client = clientFor(server.endpoint);
  const { database } = await client.databases.createIfNotExists({ id: "threadkeep" });
  const { container } = await database.containers.createIfNotExists({
    id: "threads",
    partitionKey: { paths: ["/pk"] },
  });
  for (const doc of allDocs(answeredThread())) await container.items.create(doc);
  client.dispose();
  const lock = takeFolder(folder);
  lock.tell({ url: "http://127.0.0.1:1", cosmos: server.endpoint });
  const ofData = () => checkStore("", { COSMOS_KEY: "" }, "--data", folder);
  const found = "1 threads, 9 documents; runs: 1 completed\nNothing is wrong.\n";
  const saying = (state: string) => ({ code: 0, output: `${found}The store in ${folder}, of an app that ${state}:\n` });
  expect(await ofData()).toEqual(saying("is running"));
  lock.release();
  await server.stop();
  expect(await ofData()).toEqual(saying("is stopped"));
  await rm(folder, { recursive: true });
});
