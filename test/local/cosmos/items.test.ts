import { PartitionKeyKind, type PatchOperation } from "@azure/cosmos";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientFor, failure, startWorld, type World } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

describe("items", () => {
  test("can be created, read, replaced, upserted and deleted, with the status codes of the service", async () => {
    const container = await world.container();
    const created = await container.items.create({ id: "a", pk: "p", n: 1 });
    const item = container.item("a", "p");
    const read = await item.read();
    const replaced = await item.replace({ id: "a", pk: "p", n: 2 });
    const upserted = await container.items.upsert({ id: "a", pk: "p", n: 3 });
    const inserted = await container.items.upsert({ id: "b", pk: "p" });
    const deleted = await item.delete();
    const statuses = [created, read, replaced, upserted, inserted, deleted].map(({ statusCode }) => statusCode);
    expect(statuses).toEqual([201, 200, 200, 200, 201, 204]);
    expect(read.resource).toMatchObject({ id: "a", pk: "p", n: 1, _etag: expect.any(String), _ts: expect.any(Number) });
    expect((await item.read()).statusCode).toBe(404);
    expect(await failure(item.delete())).toMatchObject({ code: 404 });
    expect(await failure(item.replace({ id: "a", pk: "p" }))).toMatchObject({ code: 404 });
  });

  test("with the same id live apart in other partitions, whatever the type of the key", async () => {
    const container = await world.container();
    const keys = ["1", 1, 0, "", false, null, 'a:/"'];
    for (const pk of keys) await container.items.create({ id: "same", pk, mine: JSON.stringify(pk) });
    for (const pk of keys) {
      expect((await container.item("same", pk).read()).resource?.mine).toBe(JSON.stringify(pk));
    }
    expect(await failure(container.items.create({ id: "same", pk: "1" }))).toMatchObject({ code: 409 });
  });

  test("that break a rule are refused with 400 or 413", async () => {
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p" });
    // The SDK itself refuses this id, except in a batch.
    const slash = [{ operationType: "Create" as const, resourceBody: { id: "x/y", pk: "p" } }];
    expect((await container.items.batch(slash, "p")).result?.[0]?.statusCode).toBe(400);
    expect(await failure(container.items.create({ id: "x", pk: "p", ttl: 0 }))).toMatchObject({ code: 400 });
    expect(await failure(container.item("a", "p").replace({ id: "a", pk: "q" }))).toMatchObject({ code: 400 });
    expect(await failure(container.items.create({ id: "x", pk: "p", s: "é".repeat(1.1e6) }))).toMatchObject({
      code: 413,
    });
  });

  test("keep a property called __proto__ as data", async () => {
    const container = await world.container();
    await container.items.create(JSON.parse('{"id":"a","pk":"p","__proto__":{"x":1}}'));
    const { resource } = await container.item("a", "p").read();
    expect(Object.getOwnPropertyDescriptor(resource, "__proto__")?.value).toEqual({ x: 1 });
  });

  test("cannot share the values of a unique key inside a partition", async () => {
    const container = await world.container({ uniqueKeyPolicy: { uniqueKeys: [{ paths: ["/email", "/kind"] }] } });
    await container.items.create({ id: "1", pk: "p", email: "a", kind: 1 });
    await container.items.create({ id: "1", pk: "q", email: "a", kind: 1 });
    await container.items.create({ id: "2", pk: "p", email: "a", kind: 2 });
    expect(await failure(container.items.create({ id: "3", pk: "p", email: "a", kind: 1 }))).toMatchObject({
      code: 409,
    });
    expect((await container.items.upsert({ id: "1", pk: "p", email: "a", kind: 1 })).statusCode).toBe(200);
    const swap = await container.items.batch(
      [
        { operationType: "Delete", id: "1" },
        { operationType: "Create", resourceBody: { id: "3", pk: "p", email: "a", kind: 1 } },
      ],
      "p",
    );
    expect(swap.code).toBe(200);
  });

  test("of a hierarchical key are found by the whole key and listed by its start", async () => {
    const container = await world.container({
      partitionKey: { paths: ["/tenant", "/user"], kind: PartitionKeyKind.MultiHash },
    });
    for (const [tenant, user] of [
      ["t1", "u1"],
      ["t1", "u2"],
      ["t2", "u1"],
    ]) {
      await container.items.create({ id: "x", tenant, user });
    }
    expect((await container.item("x", ["t1", "u2"]).read()).resource).toMatchObject({ user: "u2" });
    const { resources } = await container.items.query("SELECT * FROM c", { partitionKey: ["t1"] }).fetchAll();
    expect(resources.map(({ user }) => user)).toEqual(["u1", "u2"]);
  });

  test("of a partition can be deleted together", async () => {
    const container = await world.container();
    for (const pk of ["p", "q"]) await container.items.create({ id: "a", pk });
    await container.deleteAllItemsForPartitionKey("p");
    expect((await container.item("a", "p").read()).statusCode).toBe(404);
    expect((await container.item("a", "q").read()).statusCode).toBe(200);
  });
});

describe("etags", () => {
  test("let only the writer with the current version through", async () => {
    const container = await world.container();
    const first = await container.items.create({ id: "a", pk: "p" });
    await container.items.upsert({ id: "a", pk: "p", n: 2 });
    const stale = { accessCondition: { type: "IfMatch", condition: first.etag } };
    const item = container.item("a", "p");
    const attempts = [
      () => item.replace({ id: "a", pk: "p" }, stale),
      () => item.patch([{ op: "set", path: "/n", value: 3 }], stale),
      () => container.items.upsert({ id: "a", pk: "p" }, stale),
      () => item.delete(stale),
    ];
    for (const attempt of attempts) expect(await failure(attempt())).toMatchObject({ code: 412 });
    const current = { accessCondition: { type: "IfMatch", condition: (await item.read()).etag } };
    expect((await item.replace({ id: "a", pk: "p", n: 3 }, current)).statusCode).toBe(200);
  });

  test("answer a conditional read of what has not changed with 304", async () => {
    const container = await world.container();
    const { etag } = await container.items.create({ id: "a", pk: "p" });
    const read = () => container.item("a", "p").read({ accessCondition: { type: "IfNoneMatch", condition: etag } });
    expect((await read()).statusCode).toBe(304);
    await container.items.upsert({ id: "a", pk: "p", n: 2 });
    expect((await read()).statusCode).toBe(200);
  });

  test("lose no update of many writers at once", async () => {
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p", n: 0 });
    const increment = async (): Promise<void> => {
      const { resource, etag } = await container.item("a", "p").read();
      try {
        const accessCondition = { type: "IfMatch", condition: etag };
        await container.item("a", "p").replace({ ...resource, n: resource.n + 1 }, { accessCondition });
      } catch (error) {
        expect(error).toMatchObject({ code: 412 });
        await increment();
      }
    };
    await Promise.all(Array.from({ length: 16 }, increment));
    expect((await container.item("a", "p").read()).resource.n).toBe(16);
  });
});

describe("patches", () => {
  test("change what they name and nothing else", async () => {
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p", n: 1, list: [1, 2], o: { x: 1 }, gone: true, from: "m" });
    // In the service, but not in the types of the SDK.
    const move = { op: "move", from: "/from", path: "/o/to" } as unknown as PatchOperation;
    const { resource } = await container
      .item("a", "p")
      .patch([
        { op: "incr", path: "/n", value: 5 },
        { op: "incr", path: "/fresh", value: 1 },
        { op: "add", path: "/list/0", value: 0 },
        { op: "add", path: "/list/-", value: 3 },
        { op: "set", path: "/list/1", value: "one" },
        { op: "replace", path: "/o/x", value: 9 },
        { op: "remove", path: "/gone" },
        move,
      ]);
    expect(resource).toMatchObject({ id: "a", pk: "p", n: 6, fresh: 1, list: [0, "one", 2, 3], o: { x: 9, to: "m" } });
    expect(resource).not.toHaveProperty("gone");
    expect(resource).not.toHaveProperty("from");
  });

  test("apply only where their condition holds", async () => {
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p", active_run: null });
    const lock = () =>
      container.item("a", "p").patch({
        condition: "FROM c WHERE NOT IS_DEFINED(c.active_run) OR IS_NULL(c.active_run)",
        operations: [{ op: "set", path: "/active_run", value: "run_1" }],
      });
    expect((await lock()).resource.active_run).toBe("run_1");
    expect(await failure(lock())).toMatchObject({ code: 412 });
  });

  test("are all or nothing", async () => {
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p", n: 1 });
    const half = container.item("a", "p").patch([
      { op: "set", path: "/n", value: 2 },
      { op: "remove", path: "/absent" },
    ]);
    expect(await failure(half)).toMatchObject({ code: 400 });
    expect((await container.item("a", "p").read()).resource.n).toBe(1);
  });

  test("are refused beyond ten operations, on the id, on the partition key, and below what does not exist", async () => {
    const container = await world.container();
    await container.items.create({ id: "a", pk: "p" });
    const set = (path: string) => ({ op: "set", path, value: 1 }) as const;
    const refused = [
      Array.from({ length: 11 }, (_, i) => set(`/f${i}`)),
      [set("/id")],
      [set("/pk")],
      [set("/no/such")],
    ];
    for (const operations of refused) {
      expect(await failure(container.item("a", "p").patch(operations))).toMatchObject({ code: 400 });
    }
  });
});

describe("access", () => {
  test("needs the right key", async () => {
    const container = await world.container();
    const stranger = clientFor(world.server.endpoint, { key: Buffer.from("wrong").toString("base64") });
    const theirs = stranger.database("tests").container(container.id);
    expect(await failure(theirs.items.create({ id: "a", pk: "p" }))).toMatchObject({ code: 401 });
    expect((await fetch(`${world.server.endpoint}/dbs`)).status).toBe(401);
  });

  test("works with endpoint discovery and session consistency, as an app is configured in Azure", async () => {
    const container = await world.container();
    const client = clientFor(world.server.endpoint, { connectionPolicy: {}, consistencyLevel: "Session" });
    const mine = client.database("tests").container(container.id);
    const created = await mine.items.create({ id: "a", pk: "p" });
    expect(created.headers["x-ms-session-token"]).toMatch(/^0:-1#\d+$/);
    expect((await mine.item("a", "p").read()).statusCode).toBe(200);
    client.dispose();
  });

  test("refuses by name what it does not support", async () => {
    const container = await world.container();
    const { items, scripts } = container;
    const trigger = items.create({ id: "a", pk: "p" }, { preTriggerInclude: ["t"] });
    expect((await failure(trigger)).message).toContain("x-ms-documentdb-pre-trigger-include");
    expect((await failure(scripts.storedProcedures.create({ id: "s", body: "" }))).message).toContain(
      "stored procedures",
    );
    expect((await failure(world.client.databases.create({ id: "shared", throughput: 400 }))).message).toContain(
      "shared",
    );
    const feed = items.query("SELECT ST_DISTANCE(c.a, c.b) FROM c").fetchAll();
    expect(await failure(feed)).toMatchObject({ code: 400, message: expect.stringContaining("ST_DISTANCE") });
  });
});

describe("containers", () => {
  test("keep their settings, can be listed, changed and deleted", async () => {
    const container = await world.container({ defaultTtl: -1 });
    const { resource } = await container.read();
    expect(resource).toMatchObject({ defaultTtl: -1, partitionKey: { paths: ["/pk"], kind: "Hash" } });
    if (!resource) throw new Error("no definition");
    await container.replace({ ...resource, defaultTtl: 60 });
    expect((await container.read()).resource?.defaultTtl).toBe(60);
    const moved = { ...resource, partitionKey: { paths: ["/other"] } };
    expect(await failure(container.replace(moved))).toMatchObject({ code: 400 });
    const { resources } = await container.database.containers.readAll().fetchAll();
    expect(resources.map(({ id }) => id)).toContain(container.id);
    await container.delete();
    expect(await failure(container.read())).toMatchObject({ code: 404 });
    expect(await failure(container.items.create({ id: "a", pk: "p" }))).toMatchObject({ code: 404 });
  });

  test("answer 429 when their throughput is used up, and go on a moment later", async () => {
    const container = await world.container({}, 400);
    const { resource } = await container.readOffer();
    expect(resource?.content?.offerThroughput).toBe(400);
    const body = { pk: "p", text: "x".repeat(50_000) };
    const creates = Array.from({ length: 60 }, (_, i) => container.items.create({ ...body, id: `${i}` }));
    const results = await Promise.allSettled(creates);
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 429, substatus: 3200 });
  });
});
