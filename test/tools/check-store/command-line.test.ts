/** `npm run check:store`, as an operator runs it. */
import { execFile } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KEY as COSMOS_KEY } from "../../../local/cosmos/server.ts";
import { startWorld, type World } from "../../local/cosmos/harness.ts";
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
  expect(output).toMatch(/1 violations\.\n$/);
});

test("says which setting is missing, and fails otherwise than with violations", async () => {
  expect(await checkStore("good", { COSMOS_ENDPOINT: "" })).toEqual({
    code: 2,
    output: "set COSMOS_ENDPOINT to the account's URL\n",
  });
  expect(await checkStore("good", {}, "--tolerance", "soon")).toEqual({
    code: 2,
    output: '--tolerance is a number of seconds, not "soon"\n',
  });
});
