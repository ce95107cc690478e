import { ConsistencyLevel, type Container, type CosmosClient } from "@azure/cosmos";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { Settings } from "../../../local/cosmos/server.ts";
import { clientFor, failure, startWorld, until, type World } from "./harness.ts";

/** The clock stands still unless a test moves it, so "behind" is a fact and not a race. */
let clock = Date.now();
const worlds: World[] = [];
const clients: CosmosClient[] = [];
beforeEach(() => {
  clock += 10_000;
});
afterAll(async () => {
  for (const client of clients) client.dispose();
  for (const world of worlds) await world.stop();
});

async function accountWith(settings: Partial<Settings>, partitions = 1): Promise<World> {
  const world = await startWorld({ now: () => clock, settings, partitions });
  worlds.push(world);
  return world;
}

/** The same container as another client sees it, which has no session yet. */
function stranger(world: World, { id }: Container, consistencyLevel?: ConsistencyLevel): Container {
  const client = clientFor(world.server.endpoint, consistencyLevel === undefined ? {} : { consistencyLevel });
  clients.push(client);
  return client.database("tests").container(id);
}

const status = async (container: Container, id: string) => (await container.item(id, "p").read()).statusCode;

describe("an account with Session consistency", () => {
  test("reads what another client wrote only when its replica has caught up", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 500 });
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p", n: 1 });
    expect(await status(stranger(world, container), "a")).toBe(404);
    const query = "SELECT VALUE COUNT(1) FROM c";
    expect((await container.items.query(query, { partitionKey: "p" }).fetchAll()).resources).toEqual([0]);
    clock += 501;
    expect(await status(stranger(world, container), "a")).toBe(200);
    await container.item("a", "p").patch([{ op: "set", path: "/n", value: 2 }]);
    expect((await container.item("a", "p").read()).resource.n).toBe(1);
    await container.item("a", "p").delete();
    expect(await status(container, "a")).toBe(200);
    clock += 501;
    expect(await status(container, "a")).toBe(404);
  });

  test("gives a client that sends its session token what it wrote itself, and the others not", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 500 });
    const container = await world.container();
    const [mine, other] = [ConsistencyLevel.Session, ConsistencyLevel.Session].map((level) =>
      stranger(world, container, level),
    ) as [Container, Container];
    await mine.items.create({ id: "a", pk: "p" });
    expect(await status(mine, "a")).toBe(200);
    expect(await status(other, "a")).toBe(404);
    const { resources } = await mine.items.query("SELECT * FROM c", { partitionKey: "p" }).fetchAll();
    expect(resources).toHaveLength(1);
    clock += 501;
    await mine.item("a", "p").delete();
    expect(await status(mine, "a")).toBe(404);
    expect(await status(other, "a")).toBe(200);
  });

  test("tells a client with a refusal too how far it has seen", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 500 });
    const container = await world.container();
    const mine = stranger(world, container, ConsistencyLevel.Session);
    await container.items.create({ id: "a", pk: "p" });
    expect(await failure(mine.items.create({ id: "a", pk: "p" }))).toMatchObject({ code: 409 });
    expect(await status(mine, "a")).toBe(200);
  });

  test("keeps a session for each physical partition", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 500 }, 3);
    const container = await world.container();
    const mine = stranger(world, container, ConsistencyLevel.Session);
    const keys = Array.from({ length: 30 }, (_, i) => `p${i}`);
    for (const pk of keys) await container.items.create({ id: "other", pk });
    await mine.items.create({ id: "a", pk: "p0" });
    // What this client wrote to p0 says nothing about the writes of others elsewhere.
    const seen = await Promise.all(keys.map(async (pk) => (await mine.item("other", pk).read()).statusCode));
    expect(seen[0]).toBe(200);
    expect(seen).toContain(404);
    const { resources } = await mine.items.query<number>("SELECT VALUE COUNT(1) FROM c").fetchAll();
    expect(resources[0]).toBeGreaterThan(0);
    expect(resources[0]).toBeLessThan(31);
    clock += 501;
    expect((await mine.items.query("SELECT VALUE COUNT(1) FROM c").fetchAll()).resources).toEqual([31]);
  });

  test("hands a session down to the halves of a physical partition that is split", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 500 });
    const container = await world.container();
    const mine = stranger(world, container, ConsistencyLevel.Session);
    await mine.items.create({ id: "a", pk: "p" });
    world.server.split("tests", container.id, "0");
    expect(await status(mine, "a")).toBe(200);
    expect(await status(stranger(world, container), "a")).toBe(404);
  });

  test("refuses with 404/1002 where no up-to-date replica answers, which the SDK hides behind a plain 404", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 500, behindToken: "refuse" });
    const container = await world.container();
    const mine = stranger(world, container, ConsistencyLevel.Session);
    await mine.items.create({ id: "a", pk: "p" });
    const refused = await mine.item("a", "p").read();
    expect([refused.statusCode, refused.substatus]).toEqual([404, 1002]);
    const query = mine.items.query("SELECT * FROM c", { partitionKey: "p" }).fetchAll();
    await expect(query).rejects.toMatchObject({ code: 404, substatus: 1002 });
    clock += 501;
    expect(await status(mine, "a")).toBe(200);
  });

  test("refuses a token of writes that it never saw", async () => {
    const world = await accountWith({ consistency: "Session" });
    const container = await world.container();
    const mine = stranger(world, container, ConsistencyLevel.Session);
    const read = mine.item("a", "p").read({ sessionToken: "0:-1#1000000" });
    expect(await read).toMatchObject({ statusCode: 404, substatus: 1002 });
  });

  test("lets items expire on both copies, and takes new settings for both", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 60_000 });
    const container = await world.container({ defaultTtl: 10 });
    await container.items.create({ id: "a", pk: "p" });
    clock += 61_000;
    expect(await status(container, "a")).toBe(404);
    await container.items.create({ id: "a", pk: "p", ttl: -1 });
    clock += 61_000;
    expect(await status(container, "a")).toBe(200);
  });
});

test("the account reports its consistency, and refuses a read that asks for more", async () => {
  const world = await accountWith({ consistency: "Session" });
  const { resource } = await world.client.getDatabaseAccount();
  expect(resource?.consistencyPolicy).toBe("Session");
  const container = await world.container();
  const read = stranger(world, container, ConsistencyLevel.Strong).item("a", "p").read();
  expect(await failure(read)).toMatchObject({ code: 400, message: expect.stringContaining("stronger") });
});

test("a strong account has no read that misses a write, unless the read asks for less and a replica is behind", async () => {
  const world = await accountWith({});
  const container = await world.container();
  await container.items.create({ id: "a", pk: "p" });
  const levels = [undefined, ConsistencyLevel.Strong, ConsistencyLevel.Session, ConsistencyLevel.Eventual];
  for (const level of levels) expect(await status(stranger(world, container, level), "a")).toBe(200);
  world.server.change({ lagMs: 1000 });
  await container.items.create({ id: "b", pk: "p" });
  const seen = await Promise.all(levels.map((level) => status(stranger(world, container, level), "b")));
  expect(seen).toEqual([200, 200, 404, 404]);
});

test("an eventual account is behind whatever token a request brings", async () => {
  const world = await accountWith({ consistency: "Eventual" });
  const container = await world.container();
  const { headers } = await container.items.create({ id: "a", pk: "p" });
  const read = container.item("a", "p").read({ sessionToken: String(headers["x-ms-session-token"]) });
  expect((await read).statusCode).toBe(404);
});

test("the control API changes the consistency, and refuses what is no setting", async () => {
  const world = await accountWith({});
  const container = await world.container();
  const put = (body: object) =>
    fetch(`${world.server.endpoint}/_local/settings`, { method: "PUT", body: JSON.stringify(body) });
  expect(await (await put({ consistency: "session" })).json()).toMatchObject({ consistency: "Session", lagMs: 250 });
  await container.items.create({ id: "a", pk: "p" });
  expect(await status(container, "a")).toBe(404);
  for (const wrong of [{ consistency: "linear" }, { lagMs: -1 }, { lag: 1 }, []])
    expect((await put(wrong)).status).toBe(400);
  await put({ consistency: "strong" });
  expect(await status(container, "a")).toBe(200);
});

test("a lagging replica catches up by the machine's own clock", async () => {
  const world = await startWorld({ settings: { consistency: "Session", lagMs: 50 } });
  worlds.push(world);
  const container = await world.container();
  await container.items.create({ id: "a", pk: "p" });
  await until(async () => (await status(container, "a")) === 200);
});
