import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type FaultRule, startCosmos } from "../../../local/cosmos/server.ts";
import { clientFor, failure, postOnce, startWorld, type World } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
beforeEach(() => world.server.setFaults([]));
afterAll(() => world.stop());

const control = (path: string, method = "GET", body?: unknown) =>
  fetch(`${world.server.endpoint}/_local/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

test("health answers ok", async () => {
  expect(await (await control("health")).json()).toEqual({ status: "ok" });
});

test("429 and 503 fail the operations that they name, as often as they say, without doing them", async () => {
  const container = await world.container();
  const rules = [
    { fault: "429", times: 1, operations: ["create"], ms: 7 },
    { fault: "503", times: 1, operations: ["batch"], container: container.id },
  ];
  expect((await control("faults", "PUT", rules)).status).toBe(200);
  const create = () => container.items.create({ id: "a", pk: "p" });
  const throttled: { code: unknown; substatus: unknown; retryAfterInMs: unknown } = await create().catch(
    (error) => error,
  );
  expect(throttled).toMatchObject({ code: 429, substatus: 3200, retryAfterInMs: 7 });
  expect((await container.item("a", "p").read()).statusCode).toBe(404);
  expect((await create()).statusCode).toBe(201);
  const batch = () => container.items.batch([{ operationType: "Upsert", resourceBody: { id: "a", pk: "p" } }], "p");
  expect((await failure(batch())).message).toContain("unavailable");
  expect((await batch()).code).toBe(200);
  expect(await (await control("faults")).json()).toMatchObject([
    { fault: "429", fired: 1 },
    { fault: "503", fired: 1 },
  ]);
});

test("a client with its retries on never notices a 429", async () => {
  const container = await world.container();
  world.server.setFaults([{ fault: "429", times: 3, operations: ["create"], ms: 1 }]);
  const client = clientFor(world.server.endpoint, { connectionPolicy: { enableEndpointDiscovery: false } });
  const { statusCode } = await client.database("tests").container(container.id).items.create({ id: "a", pk: "p" });
  expect(statusCode).toBe(201);
  expect(world.server.faults()[0]?.fired).toBe(3);
  client.dispose();
});

test("latency delays the answer", async () => {
  const container = await world.container();
  world.server.setFaults([{ fault: "latency", ms: 150, operations: ["read"] }]);
  const before = performance.now();
  await container.item("a", "p").read();
  expect(performance.now() - before).toBeGreaterThan(145);
});

/** Not through the SDK, which would send a cut request again. */
const createOnce = (container: string, id: string, signal: AbortSignal | null = null) =>
  postOnce(world.server, `dbs/tests/colls/${container}`, {
    headers: { "x-ms-documentdb-partitionkey": '["p"]' },
    body: { id, pk: "p" },
    signal,
  });

test("a connection cut before leaves nothing done, one cut after leaves it done", async () => {
  const container = await world.container();
  world.server.setFaults([{ fault: "cut-before", times: 1, operations: ["create"] }]);
  await expect(createOnce(container.id, "before")).rejects.toThrow();
  world.server.setFaults([{ fault: "cut-after", times: 1, operations: ["create"] }]);
  await expect(createOnce(container.id, "after")).rejects.toThrow();
  expect((await container.item("before", "p").read()).statusCode).toBe(404);
  expect((await container.item("after", "p").read()).statusCode).toBe(200);
  expect((await createOnce(container.id, "third")).status).toBe(201);
});

const isHeld = () => world.server.faults()[0]?.held === 1;

test("a request that is held before waits with its work until the rules change, one held after has done it", async () => {
  const container = await world.container();
  const exists = async (id: string) => (await container.item(id, "p").read()).statusCode === 200;
  for (const [fault, done] of [
    ["hold-before", false],
    ["hold-after", true],
  ] as const) {
    await control("faults", "PUT", [{ fault, operations: ["create"], containing: [fault, '"p"'] }]);
    const creation = createOnce(container.id, fault);
    await vi.waitUntil(isHeld);
    expect(await exists(fault)).toBe(done);
    // Only what has the texts is held.
    expect((await createOnce(container.id, `other-${done}`)).status).toBe(201);
    await control("faults", "PUT", []);
    expect((await creation).status).toBe(201);
    expect(await exists(fault)).toBe(true);
  }
});

test("a request that is held before is forgotten when its client dies", async () => {
  const container = await world.container();
  world.server.setFaults([{ fault: "hold-before", operations: ["create"] }]);
  const client = new AbortController();
  const creation = createOnce(container.id, "orphan", client.signal);
  await vi.waitUntil(isHeld);
  client.abort();
  await expect(creation).rejects.toThrow();
  await vi.waitUntil(() => !isHeld());
  world.server.setFaults([]);
  expect((await container.item("orphan", "p").read()).statusCode).toBe(404);
});

test("faults strike other containers and other operations not at all", async () => {
  const [mine, other] = [await world.container(), await world.container()];
  world.server.setFaults([
    { fault: "503", container: other.id },
    { fault: "503", operations: ["delete"] },
  ]);
  expect((await mine.items.create({ id: "a", pk: "p" })).statusCode).toBe(201);
  expect((await mine.items.query("SELECT * FROM c").fetchAll()).resources).toHaveLength(1);
  expect(world.server.faults().map(({ fired }) => fired)).toEqual([0, 0]);
});

test("the same seed strikes the same requests, at about the given rate", async () => {
  const strikes = async (seed: number) => {
    const server = await startCosmos({ seed });
    const client = clientFor(server.endpoint);
    const { database } = await client.databases.create({ id: "d" });
    const { container } = await database.containers.create({ id: "c", partitionKey: { paths: ["/pk"] } });
    server.setFaults([{ fault: "429", rate: 0.3 }]);
    const struck: boolean[] = [];
    for (let i = 0; i < 60; i++) {
      struck.push(
        await container.items.upsert({ id: "a", pk: "p" }).then(
          () => false,
          () => true,
        ),
      );
    }
    client.dispose();
    await server.stop();
    return struck;
  };
  const [first, again, other] = [await strikes(1), await strikes(1), await strikes(2)];
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  expect(first.filter(Boolean).length).toBeGreaterThan(6);
  expect(first.filter(Boolean).length).toBeLessThan(30);
});

test("a rule that could never strike is refused", async () => {
  const wrong: unknown[] = [
    {},
    [{ fault: "501" }],
    [{ fault: "500", when: "later" }],
    [{ fault: "410", body: "xml" }],
    [{ fault: "429", rate: 2 }],
    [{ fault: "429", operations: ["write"] }],
    [{ fault: "429", op: "read" }],
    [{ fault: "hold-before", containing: "text" }],
  ];
  for (const rules of wrong) expect((await control("faults", "PUT", rules)).status).toBe(400);
  expect(world.server.faults()).toEqual([] satisfies FaultRule[]);
});

test("statistics count operations and request units by container, until they are reset", async () => {
  const container = await world.container();
  world.server.resetStats();
  const { requestCharge } = await container.items.create({ id: "a", pk: "p" });
  await container.item("a", "p").read();
  await container.item("b", "p").read();
  await container.items.query("SELECT * FROM c", { partitionKey: "p" }).fetchAll();
  const stats = (await (await control("stats")).json()) as ReturnType<typeof world.server.stats>;
  const mine = stats.containers[container.id];
  expect(mine?.create).toEqual({ count: 1, charge: Number(requestCharge), failed: 0 });
  expect(mine?.read).toEqual({ count: 2, charge: 4, failed: 1 });
  expect(mine?.query?.count).toBe(1);
  await control("stats/reset", "POST");
  expect(world.server.stats().total).toEqual({ count: 0, charge: 0, failed: 0 });
});
