import type { Container, JSONValue } from "@azure/cosmos";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failure, postOnce, startWorld, type World } from "./harness.ts";

let world: World;
let container: Container;
beforeAll(async () => {
  world = await startWorld();
  container = await world.container({ defaultTtl: -1 });
});
afterAll(() => world.stop());

const MB = 1024 * 1024;

/** A body of exactly so many bytes, two for each letter. */
function bodyOf(bytes: number, id: string) {
  const empty = JSON.stringify({ id, pk: "p", text: "" });
  const left = bytes - empty.length;
  return { id, pk: "p", text: "é".repeat(Math.floor(left / 2)) + "x".repeat(left % 2) };
}

const post = (body: object, headers: Record<string, string> = {}) =>
  postOnce(world.server, `dbs/tests/colls/${container.id}`, {
    headers: { "x-ms-documentdb-partitionkey": '["p"]', ...headers },
    body,
  });

describe("2 MB", () => {
  test("are the most of a document with the service's own properties, in bytes", async () => {
    const { resource } = await container.items.create({ ...bodyOf(1000, "measure") });
    const own = Buffer.byteLength(JSON.stringify(resource)) - 1000;
    const last = await post(bodyOf(2 * MB - own, "measurf"));
    expect(last.status).toBe(201);
    expect(Buffer.byteLength(await last.text())).toBe(2 * MB);
    expect((await post(bodyOf(2 * MB - own + 1, "measurg"))).status).toBe(413);
  });

  test("are the most of a request: a batch whose documents fit one by one is refused as a whole", async () => {
    const half = { operationType: "Create" as const, resourceBody: { ...bodyOf(1.2 * MB, "half1") } };
    const other = { operationType: "Create" as const, resourceBody: { ...bodyOf(1.2 * MB, "half2") } };
    const refused = await failure(container.items.batch([half, other], "p"));
    expect(refused.message).toContain("Request size is too large");
    expect((await container.item("half1", "p").read()).statusCode).toBe(404);
    expect((await container.items.batch([half], "p")).code).toBe(200);
  });
});

test("a batch has 100 operations at most, a patch ten", async () => {
  const upserts = Array.from({ length: 101 }, (_, i) => ({
    operationType: "Upsert" as const,
    resourceBody: { id: `b${i}`, pk: "p" },
  }));
  const atomic = { "x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "True" };
  expect((await post(upserts.slice(1), atomic)).status).toBe(200);
  const refused = await post(upserts, atomic);
  expect([refused.status, await refused.text()]).toEqual([
    400,
    expect.stringContaining("more operations than what is supported"),
  ]);
  const sets = Array.from({ length: 11 }, (_, i) => ({ op: "set" as const, path: `/f${i}`, value: i }));
  expect((await container.item("b1", "p").patch(sets.slice(1))).statusCode).toBe(200);
  expect(await failure(container.item("b1", "p").patch(sets))).toMatchObject({ code: 400 });
});

/** The status of a create, without the SDK's own checks of ids. */
const createdWith = async (body: object, key = '["p"]') =>
  (await post({ pk: "p", ...body }, { "x-ms-documentdb-partitionkey": key })).status;

test("an id has 1,023 bytes at most and none of four characters, a partition key 2,048 bytes", async () => {
  expect(await createdWith({ id: "i".repeat(1023) })).toBe(201);
  expect(await createdWith({ id: "i".repeat(1024) })).toBe(400);
  expect(await createdWith({ id: "€".repeat(341) })).toBe(201);
  expect(await createdWith({ id: "€".repeat(342) })).toBe(400);
  for (const character of "/\\?#") expect(await createdWith({ id: `a${character}b` })).toBe(400);
  const longest = "k".repeat(2048);
  expect(await createdWith({ id: "k", pk: longest }, JSON.stringify([longest]))).toBe(201);
  expect(await createdWith({ id: "k", pk: `${longest}k` }, JSON.stringify([`${longest}k`]))).toBe(400);
});

test("a name has 255 characters at most", async () => {
  const { databases } = world.client;
  expect((await databases.create({ id: "d".repeat(255) })).statusCode).toBe(201);
  expect(await failure(databases.create({ id: "d".repeat(256) }))).toMatchObject({ code: 400 });
  const definition = (length: number) => ({ id: "c".repeat(length), partitionKey: { paths: ["/pk"] } });
  const { database } = container;
  expect((await database.containers.create(definition(255))).statusCode).toBe(201);
  expect(await failure(database.containers.create(definition(256)))).toMatchObject({ code: 400 });
});

test("objects and arrays nest 128 levels deep, the document included", async () => {
  const nested = (levels: number): JSONValue => JSON.parse("[".repeat(levels) + "]".repeat(levels));
  expect(await createdWith({ id: "deep", v: nested(127) })).toBe(201);
  expect(await createdWith({ id: "deeper", v: nested(128) })).toBe(400);
  const patch = container.item("deep", "p").patch([{ op: "set", path: "/w", value: nested(128) as string }]);
  expect(await failure(patch)).toMatchObject({ code: 400 });
});

test("a time to live is -1 or a whole number up to 2,147,483,647", async () => {
  for (const ttl of [-1, 1, 2_147_483_647]) expect(await createdWith({ id: `ttl ${ttl}`, ttl })).toBe(201);
  for (const ttl of [0, -2, 1.5, "1", 2_147_483_648]) expect(await createdWith({ id: "ttl", ttl })).toBe(400);
  const endless = world.container({ defaultTtl: 2_147_483_648 });
  expect(await failure(endless)).toMatchObject({ code: 400 });
});

test("the partition key of a document cannot be patched, nor what it is part of", async () => {
  const nested = await world.container({ partitionKey: { paths: ["/a/key"] } });
  await nested.items.create({ id: "i", a: { key: "k", n: 1 }, b: 1 });
  const patched = (path: string, value: JSONValue) =>
    nested.item("i", "k").patch([{ op: "set", path, value: value as string }]);
  expect(await failure(patched("/a/key", "k"))).toMatchObject({ code: 400, message: expect.stringContaining("key") });
  expect(await failure(patched("/a", { key: "k" }))).toMatchObject({ code: 400 });
  expect((await patched("/a/n", 2)).resource.a).toEqual({ key: "k", n: 2 });
});

test("a document belongs to the partition that the request names", async () => {
  const response = await post({ id: "other", pk: "q" });
  expect([response.status, response.headers.get("x-ms-substatus")]).toEqual([400, "1001"]);
  const batch = await container.items.batch([{ operationType: "Create", resourceBody: { id: "other", pk: "q" } }], "p");
  expect(batch.result?.[0]?.statusCode).toBe(400);
});

test("a query has 262,144 characters at most", async () => {
  const text = (length: number) => "SELECT * FROM c WHERE c.id = 'x'".padEnd(length, " ");
  expect((await container.items.query(text(262_144), { partitionKey: "p" }).fetchAll()).resources).toEqual([]);
  expect(await failure(container.items.query(text(262_145), { partitionKey: "p" }).fetchAll())).toMatchObject({
    code: 400,
  });
});
