import type { Container, FeedOptions } from "@azure/cosmos";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failure, startWorld, type World } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

/** `many` items in one partition, in batches. */
async function fill(container: Container, pk: string, many: number, body: (i: number) => object) {
  for (let start = 0; start < many; start += 100) {
    const operations = Array.from({ length: Math.min(100, many - start) }, (_, i) => ({
      operationType: "Create" as const,
      resourceBody: { id: `${pk}-${start + i}`, pk, ...body(start + i) },
    }));
    await container.items.batch(operations, pk);
  }
}

function ask(container: Container, query: string, parameters: Record<string, unknown> = {}, options?: FeedOptions) {
  const list = Object.entries(parameters).map(([name, value]) => ({ name: `@${name}`, value: value as string }));
  return container.items.query({ query, parameters: list }, options);
}

const all = async (...args: Parameters<typeof ask>) => (await ask(...args).fetchAll()).resources;

/** The number of items that a query looked at, from its charge at Strong: twice 2.3 + 0.03 for each + 0.1 for each KB. */
const examined = (charge: number) => Math.floor((charge / 2 - 2.3) / 0.03);

test("a page of a long thread is read from an index, not by scanning the partition", async () => {
  const container = await world.container();
  const kinds = ["message", "run", "step", "events"];
  await fill(container, "p", 2000, (i) => ({ kind: kinds[i % 4], internal: { sort: i } }));
  const range =
    "SELECT TOP 20 * FROM c WHERE c.internal.sort >= @a AND c.internal.sort < @b ORDER BY c.internal.sort DESC";
  const page = await ask(container, range, { a: 100, b: 1500 }, { partitionKey: "p" }).fetchNext();
  expect(page.resources.map(({ internal }) => internal.sort)).toEqual(Array.from({ length: 20 }, (_, i) => 1499 - i));
  expect(examined(page.requestCharge)).toBeLessThan(50);
  const byKind = "SELECT TOP 5 * FROM c WHERE c.kind = @k AND c.internal.sort < @b ORDER BY c.internal.sort DESC";
  const runs = await ask(container, byKind, { k: "run", b: 1000 }, { partitionKey: "p" }).fetchNext();
  expect(runs.resources.map(({ internal }) => internal.sort)).toEqual([997, 993, 989, 985, 981]);
  expect(examined(runs.requestCharge)).toBeLessThan(20);
});

test("a range on a property that few items have is found across all partitions without a scan", async () => {
  const container = await world.container();
  for (let i = 0; i < 10; i++)
    await fill(container, `p${i}`, 100, (n) => (n === 50 ? { internal: { due: i } } : { n }));
  const overdue = await ask(container, "SELECT VALUE c.internal.due FROM c WHERE c.internal.due < @now", {
    now: 4,
  }).fetchNext();
  expect(overdue.resources).toEqual([0, 1, 2, 3]);
  expect(examined(overdue.requestCharge)).toBeLessThan(10);
  await container.item("p2-50", "p2").patch([{ op: "remove", path: "/internal/due" }]);
  await container.item("p9-50", "p9").patch([{ op: "set", path: "/internal/due", value: 0.5 }]);
  expect(await all(container, "SELECT VALUE c.internal.due FROM c WHERE c.internal.due < @now", { now: 4 })).toEqual([
    0, 0.5, 1, 3,
  ]);
});

test("a filter on an excluded path pays for the scan", async () => {
  const indexingPolicy = { includedPaths: [{ path: "/*" }], excludedPaths: [{ path: "/hidden/?" }] };
  const container = await world.container({ indexingPolicy });
  await fill(container, "p", 300, (i) => ({ hidden: i, shown: i }));
  const charge = async (path: string) =>
    (await ask(container, `SELECT VALUE 1 FROM c WHERE c.${path} = 7`, {}, { partitionKey: "p" }).fetchNext())
      .requestCharge;
  expect(examined(await charge("shown"))).toBe(1);
  expect(examined(await charge("hidden"))).toBe(300);
  const sorted = all(container, "SELECT * FROM c ORDER BY c.hidden", {}, { partitionKey: "p" });
  expect((await failure(sorted)).message).toContain("order-by item is excluded");
});

test.each([
  ["ascending", "SELECT VALUE c.n FROM c ORDER BY c.n"],
  ["descending", "SELECT VALUE c.n FROM c ORDER BY c.n DESC"],
  ["unordered", "SELECT VALUE c.n FROM c"],
  ["distinct", "SELECT DISTINCT VALUE c.n FROM c"],
  ["joined", "SELECT VALUE x FROM c JOIN x IN c.pair"],
])("pages of a query (%s) neither repeat nor lose results while items are added and removed", async (_, query) => {
  const container = await world.container();
  await fill(container, "p", 30, (i) => ({ n: i * 10, pair: [i * 10, i * 10 + 5] }));
  const expected = await all(container, query, {}, { partitionKey: "p" });
  const seen: number[] = [];
  let continuationToken: string | undefined;
  let page = 0;
  do {
    const options = {
      partitionKey: "p",
      maxItemCount: 7,
      ...(continuationToken !== undefined && { continuationToken }),
    };
    const next = await ask(container, query, {}, options).fetchNext();
    expect(next.resources.length).toBeLessThanOrEqual(7);
    seen.push(...next.resources);
    continuationToken = next.continuationToken;
    await container.items.create({ id: `new-${page}`, pk: "p", n: 1000 + page, pair: [2000 + page] });
    if (page > 0) await container.item(`new-${page - 1}`, "p").delete();
    page++;
  } while (continuationToken);
  const old = seen.filter((n) => n < 1000);
  expect(old).toEqual(expected);
});

test("a page of a list of messages has a continuation token exactly when there is more", async () => {
  const container = await world.container();
  await fill(container, "p", 10, (i) => ({ n: i }));
  const token = async (query: string, maxItemCount: number) =>
    (await ask(container, query, {}, { partitionKey: "p", maxItemCount }).fetchNext()).continuationToken;
  expect(await token("SELECT * FROM c ORDER BY c.n", 10)).toBeUndefined();
  expect(await token("SELECT * FROM c ORDER BY c.n", 9)).toBeDefined();
  expect(await token("SELECT TOP 5 * FROM c ORDER BY c.n", 5)).toBeUndefined();
  const foreign = await token("SELECT * FROM c ORDER BY c.n", 3);
  const reused = ask(
    container,
    "SELECT * FROM c ORDER BY c.n DESC",
    {},
    { partitionKey: "p", continuationToken: foreign ?? "" },
  );
  expect((await failure(reused.fetchNext())).message).toContain("another query");
});

test("TOP, OFFSET and LIMIT count over all pages", async () => {
  const container = await world.container();
  await fill(container, "p", 30, (i) => ({ n: i }));
  const options = { partitionKey: "p", maxItemCount: 4 };
  expect(await all(container, "SELECT TOP 6 VALUE c.n FROM c ORDER BY c.n DESC", {}, options)).toEqual([
    29, 28, 27, 26, 25, 24,
  ]);
  const window = "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET @o LIMIT @l";
  expect(await all(container, window, { o: 10, l: 6 }, options)).toEqual([10, 11, 12, 13, 14, 15]);
});

test("two sort paths need a composite index, which serves both directions", async () => {
  const compositeIndexes = [
    [
      { path: "/a", order: "ascending" as const },
      { path: "/b", order: "descending" as const },
    ],
  ];
  const container = await world.container({ indexingPolicy: { compositeIndexes } });
  await fill(container, "p", 6, (i) => ({ a: i % 2, b: i }));
  const values = (order: string) =>
    all(container, `SELECT VALUE c.b FROM c ORDER BY ${order}`, {}, { partitionKey: "p" });
  expect(await values("c.a, c.b DESC")).toEqual([4, 2, 0, 5, 3, 1]);
  expect(await values("c.a DESC, c.b")).toEqual([1, 3, 5, 0, 2, 4]);
  expect(await failure(values("c.a, c.b"))).toMatchObject({
    code: 400,
    message: expect.stringContaining("composite index"),
  });
});

test("a query sees its partition only, or all of them without a key", async () => {
  const container = await world.container();
  for (const pk of ["a", "b", "c"]) await fill(container, pk, 3, (i) => ({ n: i }));
  const count = "SELECT VALUE COUNT(1) FROM c";
  expect(await all(container, count, {}, { partitionKey: "a" })).toEqual([3]);
  expect(await all(container, count, {}, { partitionKey: "none" })).toEqual([0]);
  expect(await all(container, count)).toEqual([9]);
  expect(await all(container, `${count} WHERE c.pk = @pk`, { pk: "b" })).toEqual([3]);
  expect(await all(container, "SELECT c.pk, SUM(c.n) AS sum FROM c GROUP BY c.pk")).toEqual([
    { pk: "a", sum: 3 },
    { pk: "b", sum: 3 },
    { pk: "c", sum: 3 },
  ]);
  expect(await all(container, "SELECT TOP 2 VALUE c.n FROM c ORDER BY c.n DESC")).toEqual([2, 2]);
  expect(await all(container, "SELECT VALUE c.pk FROM c WHERE c.n = 2 AND c.pk != 'b'")).toEqual(["a", "c"]);
});

test("an unknown parameter, a wrong query and an expression to sort by are refused with 400", async () => {
  const container = await world.container();
  await fill(container, "p", 1, () => ({}));
  for (const query of [
    "SELEC * FROM c",
    "SELECT * FROM c WHERE c.n = @absent",
    "SELECT * FROM c ORDER BY LOWER(c.n)",
    "SELECT x.n FROM c",
  ]) {
    expect(await failure(all(container, query)), query).toMatchObject({ code: 400 });
  }
});
