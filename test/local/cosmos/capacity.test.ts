import { ConsistencyLevel, type Container } from "@azure/cosmos";
import { afterAll, describe, expect, test } from "vitest";
import type { Settings } from "../../../local/cosmos/server.ts";
import { failure, startWorld, type World } from "./harness.ts";

/** The clock stands still unless a test moves it: request units come back only then. */
let clock = Date.now();
const worlds: World[] = [];
afterAll(async () => {
  for (const world of worlds) await world.stop();
});

async function accountWith(settings: Partial<Settings>, partitions = 1): Promise<World> {
  const world = await startWorld({ now: () => clock, settings, partitions });
  worlds.push(world);
  return world;
}

/** Some 27 RU each. */
const TEXT = "x".repeat(50_000);

/** How many documents of one partition are created before the first 429. */
async function createdUntilThrottled(container: Container, pk = "p"): Promise<number> {
  for (let i = 0; i < 400; i++) {
    const refused = await container.items.create({ id: `${clock}-${i}`, pk, text: TEXT }).then(
      () => undefined,
      (error) => error,
    );
    if (!refused) continue;
    expect(refused).toMatchObject({ code: 429, substatus: 3200 });
    expect(refused.retryAfterInMs).toBeGreaterThan(0);
    return i;
  }
  return Infinity;
}

const offerOf = async (container: Container) => (await container.readOffer()).resource?.content;

describe("throughput", () => {
  test("has no limit unless the server is told so", async () => {
    const world = await accountWith({});
    const container = await world.container();
    expect(await offerOf(container)).toBeUndefined();
    expect(await createdUntilThrottled(container)).toBe(Infinity);
  });

  test("of a container that was created without any is 400 RU/s on a provisioned account", async () => {
    const world = await accountWith({ capacity: "provisioned" });
    const container = await world.container();
    expect(await offerOf(container)).toEqual({ offerThroughput: 400 });
    const first = await createdUntilThrottled(container);
    expect(first).toBeGreaterThan(10);
    expect(first).toBeLessThan(25);
    expect(await failure(container.item("a", "p").read())).toMatchObject({ code: 429 });
    clock += 1000;
    expect(await createdUntilThrottled(container)).toBeGreaterThan(10);
    const { resource } = await container.readOffer();
    if (!resource?.content) throw new Error("no offer");
    const offer = world.client.offer(resource.id);
    await offer.replace({ ...resource, content: { ...resource.content, offerThroughput: 4000 } });
    clock += 1000;
    expect(await createdUntilThrottled(container)).toBeGreaterThan(120);
  });

  test("is shared out between the physical partitions", async () => {
    const world = await accountWith({ capacity: "provisioned", throughput: 3000 }, 3);
    const container = await world.container();
    const hot = await createdUntilThrottled(container, "p0");
    expect(hot).toBeGreaterThan(30);
    expect(hot).toBeLessThan(50);
    const others = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        container.items.create({ id: "a", pk: `p${i}` }).then(
          () => 201,
          ({ code }: { code: number }) => code,
        ),
      ),
    );
    expect(others).toContain(429);
    expect(others).toContain(201);
  });

  test("of autoscale is its maximum, and its offer says so", async () => {
    const world = await accountWith({ capacity: "provisioned", throughput: 4000, autoscale: true });
    const container = await world.container();
    expect(await offerOf(container)).toMatchObject({ offerAutopilotSettings: { maxThroughput: 4000 } });
    expect(await createdUntilThrottled(container)).toBeGreaterThan(120);
    const { container: own } = await world.client
      .database("tests")
      .containers.create({ id: "own", partitionKey: { paths: ["/pk"] }, maxThroughput: 1000 });
    expect(await offerOf(own)).toMatchObject({ offerThroughput: 100, offerAutopilotSettings: { maxThroughput: 1000 } });
    expect(await createdUntilThrottled(own)).toBeLessThan(50);
  });

  test("of a serverless account is 5,000 RU/s, which no container can change", async () => {
    const world = await accountWith({ capacity: "serverless" });
    const container = await world.container();
    const created = await createdUntilThrottled(container);
    expect(created).toBeGreaterThan(150);
    expect(created).toBeLessThan(250);
    expect(await offerOf(container)).toBeUndefined();
    expect((await failure(world.container({}, 400))).message).toContain("not supported for serverless accounts");
  });
});

describe("prices", () => {
  test("of reads are twice as high at Strong and BoundedStaleness, unless the request asks for less", async () => {
    for (const [consistency, factor] of [
      ["Strong", 2],
      ["BoundedStaleness", 2],
      ["Session", 1],
    ] as const) {
      const world = await accountWith({ consistency, lagMs: 0 });
      const container = await world.container();
      const written = await container.items.create({ id: "a", pk: "p" });
      expect(Number(written.requestCharge)).toBeLessThan(6);
      const options = { consistencyLevel: ConsistencyLevel.Session };
      const query = async (extra: object) =>
        (await container.items.query("SELECT * FROM c", { partitionKey: "p", ...extra }).fetchAll()).requestCharge;
      expect((await container.item("a", "p").read()).requestCharge).toBe(factor);
      expect((await container.item("a", "p").read(options)).requestCharge).toBe(1);
      expect((await container.item("no", "p").read()).requestCharge).toBe(factor);
      expect((await query({})) / (await query(options))).toBeCloseTo(factor, 1);
    }
  });

  test("of a read that answers 304 are flat, or those of the document", async () => {
    const world = await accountWith({ consistency: "Session", lagMs: 0 });
    const container = await world.container();
    const { resource } = await container.items.create({ id: "a", pk: "p", text: "x".repeat(100_000) });
    const accessCondition = { type: "IfNoneMatch", condition: String(resource?._etag) } as const;
    const look = () => container.item("a", "p").read({ accessCondition });
    expect(await look()).toMatchObject({ statusCode: 304, requestCharge: 1 });
    world.server.change({ notModified: "document" });
    expect((await look()).requestCharge).toBeGreaterThan(9);
  });

  test("of expired items are those of deletes, counted but for no request", async () => {
    const world = await accountWith({ capacity: "serverless" });
    const container = await world.container({ defaultTtl: 10 });
    for (const id of ["a", "b"]) await container.items.create({ id, pk: "p" });
    world.server.resetStats();
    clock += 11_000;
    const { total, containers } = world.server.stats();
    const deletes = containers[container.id]?.["ttl-delete"];
    expect(deletes).toMatchObject({ count: 2, failed: 0 });
    expect(deletes?.charge).toBeGreaterThan(10);
    expect(total.charge).toBe(deletes?.charge);
    expect(world.server.stats().containers[container.id]?.["ttl-delete"]).toEqual(deletes);
  });

  test("of an IN list grow with its length", async () => {
    const world = await accountWith({});
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p" });
    const charge = async (many: number) => {
      const list = Array.from({ length: many }, (_, i) => `'${i}'`).join();
      const query = container.items.query(`SELECT * FROM c WHERE c.x IN (${list})`, { partitionKey: "p" });
      return (await query.fetchAll()).requestCharge;
    };
    expect(await charge(1000)).toBeGreaterThan((await charge(1)) + 20);
  });

  test("of a query over all physical partitions are those of a query in each", async () => {
    const world = await accountWith({}, 3);
    const container = await world.container();
    const { requestCharge } = await container.items.query("SELECT VALUE COUNT(1) FROM c").fetchAll();
    expect(requestCharge).toBeGreaterThanOrEqual(3 * 2 * 2.3);
  });
});
