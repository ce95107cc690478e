import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChangeFeedStartFrom, type Container, type CosmosClient } from "@azure/cosmos";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCosmos } from "../../../local/cosmos/server.ts";
import { clientFor, startWorld } from "./harness.ts";
import { type CosmosProcess, end, MAIN, startProcess } from "./process.ts";

let data: string;
const running: CosmosProcess[] = [];
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "cosmos-test-"));
});
afterEach(async () => {
  for (const server of running.splice(0)) await end(server, "SIGKILL");
  await rm(data, { recursive: true });
});

async function start(): Promise<CosmosProcess> {
  const server = await startProcess("--port", "0", "--data", data);
  running.push(server);
  return server;
}

const journal = () => join(data, "journal.jsonl");

async function things(client: CosmosClient): Promise<Container> {
  const { database } = await client.databases.createIfNotExists({ id: "d" });
  const { container } = await database.containers.createIfNotExists({
    id: "c",
    partitionKey: { paths: ["/pk"] },
    defaultTtl: -1,
  });
  return container;
}

const everything = async (container: Container) =>
  (await container.items.query("SELECT * FROM c ORDER BY c.id").fetchAll()).resources;

test("a session token of before a restart is still good, also when its last write was a delete", async () => {
  const tokenOf = ({ headers }: { headers: object }) => String(Reflect.get(headers, "x-ms-session-token"));
  const first = await startCosmos({ data });
  const before = clientFor(first.endpoint);
  const container = await things(before);
  await container.items.create({ id: "a", pk: "p" });
  await container.items.create({ id: "b", pk: "p" });
  const token = tokenOf(await container.item("b", "p").delete());
  before.dispose();
  await first.stop();
  const second = await startCosmos({ data });
  const after = clientFor(second.endpoint, { consistencyLevel: "Session" });
  const read = await (await things(after)).item("a", "p").read({ sessionToken: token });
  expect([read.statusCode, tokenOf(read)]).toEqual([200, token]);
  after.dispose();
  await second.stop();
});

test("everything that was answered is there after kill -9, with the same etags", async () => {
  const first = await start();
  const container = await things(clientFor(first.endpoint));
  await Promise.all(Array.from({ length: 200 }, (_, i) => container.items.create({ id: `i${i}`, pk: `p${i % 7}` })));
  await container.item("i1", "p1").delete();
  await container.item("i2", "p2").patch([{ op: "set", path: "/n", value: 1 }]);
  await container.items.create({ id: "gone", pk: "p", ttl: 1 });
  await container.items.batch(
    [
      { operationType: "Create", resourceBody: { id: "b", pk: "p" } },
      { operationType: "Delete", id: "b" },
      { operationType: "Create", resourceBody: { id: "b", pk: "p", n: 2 } },
    ],
    "p",
  );
  const before = (await everything(container)).filter(({ id }) => id !== "gone");
  await end(first, "SIGKILL");

  const second = await start();
  const again = await things(clientFor(second.endpoint));
  const after = (await everything(again)).filter(({ id }) => id !== "gone");
  expect(before).toHaveLength(200);
  expect(after).toEqual(before);
  expect((await again.read()).resource?.defaultTtl).toBe(-1);
  const accessCondition = { type: "IfMatch", condition: String(before[0]?._etag) };
  const { statusCode } = await again.items.upsert({ ...before[0], n: 3 }, { accessCondition });
  expect(statusCode).toBe(200);
});

test("requests that a kill -9 interrupts are there wholly or not at all", async () => {
  const first = await start();
  const container = await things(clientFor(first.endpoint));
  const answered: number[] = [];
  let batches = 0;
  const writer = async () => {
    for (;;) {
      const n = batches++;
      const operations = ["x", "y", "z"].map((name) => ({
        operationType: "Create" as const,
        resourceBody: { id: `${n}${name}`, pk: "p", n },
      }));
      await container.items.batch(operations, "p");
      answered.push(n);
      if (answered.length === 50) first.child.kill("SIGKILL");
    }
  };
  await Promise.allSettled([writer(), writer(), writer()]);

  const second = await start();
  const items = await everything(await things(clientFor(second.endpoint)));
  const counts = Map.groupBy(items, ({ n }) => n as number);
  for (const n of answered) expect(counts.get(n), `batch ${n}`).toHaveLength(3);
  for (const [n, found] of counts) expect(found, `batch ${n}`).toHaveLength(3);
});

test("a last line that was cut short is dropped, and writing goes on after it", async () => {
  const first = await startCosmos({ data });
  const container = await things(clientFor(first.endpoint));
  await container.items.create({ id: "a", pk: "p" });
  await first.stop();
  await appendFile(journal(), '{"kind":"commit","database":"d","container":"c","chan');
  for (const id of ["b", "c"]) {
    const next = await startCosmos({ data });
    await (await things(clientFor(next.endpoint))).items.create({ id, pk: "p" });
    await next.stop();
  }
  const last = await startCosmos({ data });
  expect((await everything(await things(clientFor(last.endpoint)))).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  await last.stop();
});

test("a damaged line in the middle stops the start and is named", async () => {
  await writeFile(journal(), '{"kind":"database","id":"d","number":1}\ngarbage\n{"kind":"drop","database":"d"}\n');
  await expect(startCosmos({ data })).rejects.toThrow("line 2: damaged record");
});

test("a journal full of old versions is rewritten, and loses neither items nor their order in the change feed", async () => {
  const world = await startWorld({ data, compactFrom: 100_000 });
  const container = await world.container();
  const partitions = { a: "p", b: "q", c: "p" };
  for (const [id, pk] of Object.entries(partitions)) await container.items.create({ id, pk });
  for (let n = 0; n < 300; n++) await container.items.upsert({ id: "hot", pk: "p", n, text: "x".repeat(1000) });
  expect((await stat(journal())).size).toBeLessThan(150_000);
  await world.stop();

  const again = await startCosmos({ data });
  const reread = clientFor(again.endpoint).database("tests").container(container.id);
  expect((await everything(reread)).map(({ id, n }) => `${id} ${n}`)).toEqual([
    "a undefined",
    "b undefined",
    "c undefined",
    "hot 299",
  ]);
  const feed = reread.items.getChangeFeedIterator({
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
    maxItemCount: 3,
  });
  expect((await feed.readNext()).result.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect((await feed.readNext()).result.map(({ id }) => id)).toEqual(["hot"]);
  await again.stop();
});

test("each request is one line, a batch too", async () => {
  const world = await startWorld({ data });
  const container = await world.container();
  const before = (await readFile(journal(), "utf8")).split("\n").length;
  await container.items.batch(
    Array.from({ length: 20 }, (_, i) => ({ operationType: "Create" as const, resourceBody: { id: `${i}`, pk: "p" } })),
    "p",
  );
  expect((await readFile(journal(), "utf8")).split("\n").length).toBe(before + 1);
  await world.stop();
});

test("the program finishes on SIGTERM with exit code 0, also while clients stay connected", async () => {
  const server = await start();
  const container = await things(clientFor(server.endpoint));
  await container.items.create({ id: "a", pk: "p" });
  expect(await end(server, "SIGTERM")).toBe(0);
});

test("the program ends when the one that started it is gone", async () => {
  const server = await start();
  const exited = once(server.child, "exit");
  server.child.disconnect();
  expect((await exited)[0]).toBe(0);
});

test("a port in use ends the program with 1 and a message that names it, and leaves the journal alone", async () => {
  const server = await start();
  const second = spawn(process.execPath, [MAIN, "--port", String(server.port), "--data", data]);
  let message = "";
  second.stderr.on("data", (chunk: Buffer) => {
    message += chunk.toString();
  });
  const [code] = await once(second, "close");
  expect([code, message.trim()]).toEqual([1, `cosmos: port ${server.port} is in use`]);
});
