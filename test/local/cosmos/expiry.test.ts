import { ChangeFeedStartFrom, type Container } from "@azure/cosmos";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failure, startWorld, until, type World } from "./harness.ts";

let clock = Date.now();
let world: World;
beforeAll(async () => {
  world = await startWorld({ now: () => clock });
});
afterAll(() => world.stop());

const ids = async (container: Container) =>
  (await container.items.query("SELECT VALUE c.id FROM c ORDER BY c.id").fetchAll()).resources;

test("items go away when their time to live is over, the item's own before the container's", async () => {
  const container = await world.container({ defaultTtl: 100 });
  await container.items.create({ id: "default", pk: "p" });
  await container.items.create({ id: "short", pk: "p", ttl: 10 });
  await container.items.create({ id: "never", pk: "p", ttl: -1 });
  clock += 9_000;
  expect(await ids(container)).toEqual(["default", "never", "short"]);
  clock += 2_000;
  expect(await ids(container)).toEqual(["default", "never"]);
  expect((await container.item("short", "p").read()).statusCode).toBe(404);
  clock += 100_000;
  expect(await ids(container)).toEqual(["never"]);
  expect((await container.items.create({ id: "short", pk: "p" })).statusCode).toBe(201);
});

test("a write starts the time to live again, and without a container setting nothing expires", async () => {
  const off = await world.container();
  await off.items.create({ id: "a", pk: "p", ttl: 1 });
  const on = await world.container({ defaultTtl: -1 });
  await on.items.create({ id: "a", pk: "p", ttl: 10 });
  clock += 8_000;
  await on.item("a", "p").patch([{ op: "set", path: "/n", value: 1 }]);
  clock += 8_000;
  expect([await ids(off), await ids(on)]).toEqual([["a"], ["a"]]);
  clock += 3_000;
  expect([await ids(off), await ids(on)]).toEqual([["a"], []]);
});

test("a new container setting counts for items that are there already", async () => {
  const container = await world.container();
  await container.items.create({ id: "a", pk: "p" });
  const { resource } = await container.read();
  if (!resource) throw new Error("no definition");
  clock += 5_000;
  await container.replace({ ...resource, defaultTtl: 10 });
  expect(await ids(container)).toEqual(["a"]);
  clock += 6_000;
  expect(await ids(container)).toEqual([]);
});

test("time to live works with the machine's own clock", async () => {
  const real = await startWorld();
  const container = await real.container({ defaultTtl: 1 });
  await container.items.create({ id: "a", pk: "p" });
  await until(async () => (await container.item("a", "p").read()).statusCode === 404);
  await real.stop();
});

async function changes(container: Container, from: ChangeFeedStartFrom) {
  const iterator = container.items.getChangeFeedIterator({ changeFeedStartFrom: from, maxItemCount: 2 });
  const found: string[] = [];
  for (;;) {
    const page = await iterator.readNext();
    if (page.statusCode === 304) return { found, token: page.continuationToken };
    found.push(...page.result.map(({ id }: { id: string }) => id));
  }
}

test("the change feed gives the latest version of each item in order, and goes on where it ended", async () => {
  const container = await world.container();
  for (const id of ["a", "b", "c"]) await container.items.create({ id, pk: "p" });
  await container.items.create({ id: "other", pk: "q" });
  await container.items.upsert({ id: "a", pk: "p", n: 2 });
  await container.item("b", "p").delete();
  const all = await changes(container, ChangeFeedStartFrom.Beginning());
  expect(all.found).toEqual(["c", "other", "a"]);
  const partition = await changes(container, ChangeFeedStartFrom.Beginning("p"));
  expect(partition.found).toEqual(["c", "a"]);
  await container.items.create({ id: "d", pk: "p" });
  const next = await changes(container, ChangeFeedStartFrom.Continuation(partition.token));
  expect(next.found).toEqual(["d"]);
  const now = container.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Now() });
  expect((await now.readNext()).statusCode).toBe(304);
  await container.items.create({ id: "e", pk: "p" });
  expect((await now.readNext()).result.map(({ id }) => id)).toEqual(["e"]);
});

test("a change feed of all versions is refused by name", async () => {
  const container = await world.container();
  const iterator = container.items.getChangeFeedIterator({
    changeFeedMode: "Full-Fidelity Feed" as never,
    changeFeedStartFrom: ChangeFeedStartFrom.Now(),
  });
  expect((await failure(iterator.readNext())).code).toBe(400);
});
