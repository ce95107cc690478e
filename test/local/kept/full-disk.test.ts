/** Servers on a disk that is full for a while: nothing that was there is harmed, and nothing refused is ever seen. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { Container } from "@azure/cosmos";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { clientFor } from "../cosmos/harness.ts";
import { connect, connectionStringOf } from "../service-bus/support.ts";
import { type Disk, NO_SMALL_DISK, smallDisk } from "./disk.ts";
import { refusalOf, type Server, type ServerName, startServer } from "./servers.ts";

let disk: Disk | undefined;
const running: Server[] = [];
beforeEach((context) => {
  disk = smallDisk();
  if (!disk) context.skip(NO_SMALL_DISK);
});
afterEach(async () => {
  for (const { child, exited } of running.splice(0)) {
    child.kill("SIGKILL");
    await exited;
  }
  disk?.remove();
});

const folder = () => path.join(disk?.folder ?? "", "data");

async function start(name: ServerName): Promise<Server> {
  const server = await startServer(name, folder());
  running.push(server);
  return server;
}

async function things({ port }: Server): Promise<Container> {
  const client = clientFor(`http://127.0.0.1:${port}`);
  const { database } = await client.databases.createIfNotExists({ id: "d" });
  return (await database.containers.createIfNotExists({ id: "c", partitionKey: { paths: ["/pk"] } })).container;
}

/** For what a server says: its pipe is read by and by. */
const PATIENCE = { timeout: 10_000 };

const PAD = "x".repeat(30_000);

/** Creates items until one is refused, and gives the refusal's status. */
async function fillWith(container: Container, ids: string[]): Promise<unknown> {
  for (let n = 0; ; n++) {
    try {
      await container.items.create({ id: `filler${n}`, pk: "p", pad: PAD });
      ids.push(`filler${n}`);
    } catch (error) {
      return error instanceof Error && "code" in error ? error.code : error;
    }
  }
}

const idsIn = async (container: Container) =>
  (await container.items.query<string>("SELECT VALUE c.id FROM c").fetchAll()).resources.toSorted();

test("Cosmos DB refuses writes on a full disk, and holds what it acknowledged, also after a restart", async () => {
  const server = await start("cosmos");
  const container = await things(server);
  const acknowledged = ["precious"];
  await container.items.create({ id: "precious", pk: "p" });
  disk?.fill([server.pid], 200_000);
  expect(await fillWith(container, acknowledged)).toBe(503);
  const whole = () => readFileSync(path.join(folder(), "journal.jsonl"), "utf8");
  expect(whole().endsWith("}\n")).toBe(true);
  const refused = { operationType: "Create" as const, resourceBody: { id: "refused", pk: "p", pad: PAD } };
  await expect(container.items.batch([refused], "p")).rejects.toThrow("Service is currently unavailable");
  await expect(container.item("precious", "p").replace({ id: "precious", pk: "p", pad: PAD })).rejects.toThrow();
  expect((await container.item("precious", "p").read()).resource).not.toHaveProperty("pad");
  expect(await idsIn(container)).toEqual(acknowledged.toSorted());

  disk?.free([server.pid]);
  for (const id of ["after1", "after2"]) await container.items.create({ id, pk: "p", pad: PAD });
  acknowledged.push("after1", "after2");
  expect(await idsIn(container)).toEqual(acknowledged.toSorted());
  expect(server.output().match(/cannot write to/g)).toHaveLength(1);
  expect(server.output()).toContain("cosmos: writes are taken again");
  expect(statSync(folder()).mode & 0o777).toBe(0o700);
  expect(statSync(path.join(folder(), "journal.jsonl")).mode & 0o777).toBe(0o600);
  server.child.kill("SIGKILL");
  await server.exited;
  expect(await idsIn(await things(await start("cosmos")))).toEqual(acknowledged.toSorted());
});

test("Cosmos DB keeps its long journal when the disk has no room for a shorter one", async (context) => {
  if (disk?.kind !== "tmpfs") return context.skip("skipped: only a file system can be full for a new file alone");
  const server = await start("cosmos");
  const container = await things(server);
  await container.items.create({ id: "stays", pk: "p", pad: PAD });
  // A shorter one is due from 78 KB on, and needs 39 KB.
  disk.fill([], 70_000);
  for (let n = 0; n < 6; n++) await container.items.upsert({ id: "changes", pk: "p", n, pad: "x".repeat(9_000) });
  await vi.waitFor(() => expect(server.output()).toContain("The journal stays as long as it is."), PATIENCE);
  disk.free([]);
  server.child.kill("SIGKILL");
  await server.exited;
  expect(existsSync(path.join(folder(), "journal.jsonl.new"))).toBe(false);
  const again = await things(await start("cosmos"));
  expect((await again.item("changes", "p").read()).resource).toMatchObject({ n: 5 });
  expect(await idsIn(again)).toEqual(["changes", "stays"]);
});

test("a broker ends with one line on a full disk, and holds what it acknowledged at its next start", async () => {
  const server = await start("service-bus");
  const sender = connect(connectionStringOf(server.port)).createSender("runs");
  const acknowledged: string[] = [];
  await sender.sendMessages({ messageId: "precious", body: 1 });
  acknowledged.push("precious");
  disk?.fill([server.pid], 100_000);
  const filling = async () => {
    for (let n = 0; ; n++) {
      await sender.sendMessages({ messageId: `filler${n}`, body: PAD });
      acknowledged.push(`filler${n}`);
    }
  };
  void filling().catch(() => {});
  expect(await server.exited).toBe(1);
  const lines = server.output().trim().split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(
    /^service-bus: cannot write to .*service-bus\.journal: E(NOSPC|FBIG): .*nothing that it has/,
  );

  if (disk?.kind === "tmpfs") {
    disk.fill([], 0);
    const refusal = await refusalOf("service-bus", folder());
    expect(refusal).toMatch(/^exit code 1: service-bus: cannot use .*: ENOSPC: no space left[^\n]*\n$/);
  }
  disk?.free([]);
  const second = await start("service-bus");
  const receiver = connect(connectionStringOf(second.port)).createReceiver("runs");
  const found = (await receiver.peekMessages(500)).map(({ messageId }) => String(messageId));
  expect(found).toEqual(acknowledged);
});
