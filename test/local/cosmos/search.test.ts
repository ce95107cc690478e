/** Vector and full-text search through the real SDK, with the traps of the real service. */
import type { Container, ContainerDefinition, FeedOptions } from "@azure/cosmos";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containersFor, STORES } from "../../../src/store/containers.ts";
import { failure, startWorld, type World } from "./harness.ts";

const DIMENSIONS = 4;
const definition: Partial<ContainerDefinition> = containersFor(DIMENSIONS).find(({ id }) => id === STORES) ?? {};

let world: World;
let wide: World;
beforeAll(async () => {
  world = await startWorld();
  wide = await startWorld({ partitions: 3 });
});
afterAll(() => Promise.all([world.stop(), wide.stop()]));

interface Given {
  id: string;
  pk?: string;
  text?: string;
  vector?: number[];
}

async function filled({ container: create }: World, items: Given[], changes: Partial<ContainerDefinition> = {}) {
  const { id, ...rest } = definition;
  expect(id).toBe(STORES);
  const container = await create({ ...rest, ...changes });
  for (const item of items) await container.items.create({ pk: "p", ...item });
  return container;
}

const all = async <T>(container: Container, query: string, parameters: unknown[], options: FeedOptions = {}) => {
  const named = parameters.map((value, index) => ({ name: `@${index}`, value: value as string }));
  return (await container.items.query<T>({ query, parameters: named }, options).fetchAll()).resources;
};

/** On a circle: the angle tells how near it is to [1, 0, 0, 0]. */
const at = (degrees: number) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180), 0, 0];

const NEAREST =
  "SELECT TOP 50 c.id, VectorDistance(c.vector, @0) AS cos FROM c WHERE c.pk = @1 ORDER BY VectorDistance(c.vector, @0)";
const circle = Array.from({ length: 60 }, (_, i) => ({ id: `v${i}`, vector: at(((i * 37) % 60) * 2) }));

describe("VectorDistance", () => {
  test("has the nearest first, and no item without a vector of so many numbers", async () => {
    const items = [...circle.slice(0, 8), { id: "none" }, { id: "short", vector: [1, 0] }];
    const container = await filled(world, items);
    const found = await all<{ id: string; cos: number }>(container, NEAREST, [at(0), "p"], { partitionKey: "p" });
    const expected = circle.slice(0, 8).map(({ id, vector }) => ({ id, cos: vector[0] ?? 0 }));
    expected.sort((a, b) => b.cos - a.cos);
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    for (const [index, { cos }] of found.entries()) expect(cos).toBeCloseTo(expected[index]?.cos ?? 0, 6);
  });

  test.each([
    ["cosine", 3 / Math.sqrt(5) / Math.sqrt(2), "near"],
    ["dotproduct", 3, "far"],
    ["euclidean", 1, "near"],
  ])("measures by the policy's %s", async (distanceFunction, expected, first) => {
    const vectorEmbeddings = [{ path: "/vector", dataType: "float32", dimensions: DIMENSIONS, distanceFunction }];
    const policy = { vectorEmbeddingPolicy: { vectorEmbeddings } } as Partial<ContainerDefinition>;
    const items = [
      { id: "far", vector: [9, 0, 9, 9] },
      { id: "near", vector: [2, 1, 0, 0] },
    ];
    const container = await filled(world, items, policy);
    const query = "SELECT VALUE VectorDistance(c.vector, @0) FROM c WHERE c.id = 'near'";
    const [distance] = await all<number>(container, query, [[1, 1, 0, 0]], { partitionKey: "p" });
    expect(distance).toBeCloseTo(expected, 6);
    const [best] = await all<{ id: string }>(container, NEAREST, [[1, 1, 0, 0], "p"], { partitionKey: "p" });
    expect(best?.id).toBe(first);
  });

  test("a page is no prefix of the best: only all pages together are", async () => {
    const container = await filled(world, circle);
    const named = [
      { name: "@0", value: at(0) },
      { name: "@1", value: "p" },
    ];
    const iterator = container.items.query<{ id: string; cos: number }>(
      { query: NEAREST, parameters: named },
      { partitionKey: "p", maxItemCount: 100 },
    );
    const pages: number[][] = [];
    while (iterator.hasMoreResults()) pages.push((await iterator.fetchNext()).resources.map(({ cos }) => cos));
    expect(pages.map(({ length }) => length)).toEqual([25, 25]);
    const best = circle.map(({ vector }) => vector[0] ?? 0).sort((a, b) => b - a);
    expect(pages.flat()).not.toEqual(best.slice(0, 50));
    const sorted = pages.flat().sort((a, b) => b - a);
    for (const [index, cos] of sorted.entries()) expect(cos).toBeCloseTo(best[index] ?? 0, 6);
  });

  test("over several physical partitions the SDK merges", async () => {
    const container = await filled(
      wide,
      circle.map((item, i) => ({ ...item, pk: `p${i % 12}` })),
    );
    const query =
      "SELECT TOP 20 c.id, VectorDistance(c.vector, @0) AS cos FROM c ORDER BY VectorDistance(c.vector, @0)";
    const found = await all<{ cos: number }>(container, query, [at(0)]);
    const best = circle.map(({ vector }) => vector[0] ?? 0).sort((a, b) => b - a);
    expect(found).toHaveLength(20);
    for (const [index, { cos }] of found.entries()) expect(cos).toBeCloseTo(best[index] ?? 0, 6);
  });

  test("a write and a delete are seen by the next query", async () => {
    const container = await filled(world, circle.slice(0, 5));
    const best = async () =>
      (await all<{ id: string }>(container, NEAREST, [at(90), "p"], { partitionKey: "p" })).map(({ id }) => id)[0];
    await container.items.create({ id: "new", pk: "p", vector: at(90) });
    expect(await best()).toBe("new");
    await container.items.upsert({ id: "new", pk: "p", vector: at(270) });
    expect(await best()).not.toBe("new");
    await container.items.upsert({ id: "new", pk: "p", vector: at(90) });
    await container.item("new", "p").delete();
    expect(await best()).not.toBe("new");
  });

  test("the container's vectors cannot be changed", async () => {
    const container = await filled(world, []);
    const { resource } = await container.read();
    const vectorEmbeddingPolicy = { vectorEmbeddings: [] };
    const { code, message } = await failure(
      container.replace({ ...resource, id: container.id, vectorEmbeddingPolicy } as ContainerDefinition),
    );
    expect([code, message]).toEqual([400, expect.stringContaining("vector embedding policy")]);
  });
});

const TEXTS = [
  { id: "fox", text: "The quick brown fox jumps; the fox runs." },
  { id: "dog", text: "A lazy dog sleeps all day long" },
  { id: "both", text: "One fox and one dog" },
  { id: "none", text: "Nothing of the kind" },
  { id: "empty", text: "" },
  { id: "number" },
];

describe("FullTextContains", () => {
  test.each([
    ["FullTextContains(c.text, 'FOXES')", ["fox", "both"]],
    ["FullTextContains(c.text, 'lazy dogs')", ["dog"]],
    ["FullTextContains(c.text, 'dog lazy')", []],
    ["FullTextContains(c.text, 'the')", []],
    ["FullTextContainsAny(c.text, 'lazy', 'kind')", ["dog", "none"]],
    ["FullTextContainsAll(c.text, 'fox', 'dog')", ["both"]],
    ["NOT FullTextContains(c.text, 'fox')", ["dog", "none", "empty"]],
  ])("%s", async (condition, ids) => {
    const container = await filled(world, TEXTS);
    expect(await all(container, `SELECT VALUE c.id FROM c WHERE ${condition}`, [], { partitionKey: "p" })).toEqual(ids);
  });
});

/** BM25 by its definition, over everything in the container. */
function bm25(texts: string[], terms: string[]): number[] {
  const words = texts.map((text) => text.split(" "));
  const average = words.flat().length / words.length;
  return words.map((own) =>
    terms.reduce((sum, term) => {
      const hits = words.filter((other) => other.includes(term)).length;
      const count = own.filter((word) => word === term).length;
      const idf = Math.log(1 + (words.length - hits + 0.5) / (hits + 0.5));
      return sum + (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * own.length) / average));
    }, 0),
  );
}

/** Words that stem to themselves and stop nothing. */
const VOCABULARY = ["zebra", "qux", "ember", "kilo", "tango", "gamma", "omega"];
const document = (seed: number) =>
  Array.from({ length: 3 + (seed % 5) }, (_, i) => VOCABULARY[(seed * seed + i * (seed + 3)) % VOCABULARY.length]).join(
    " ",
  );
const documents = Array.from({ length: 40 }, (_, i) => ({ id: `d${i}`, pk: `p${i % 10}`, text: document(i) }));

const RANKED = "SELECT TOP 40 c.id FROM c ORDER BY RANK FullTextScore(c.text, @0, @1)";

describe("ORDER BY RANK", () => {
  test.each([1, 3])("is by BM25 over the whole container, with %i physical partitions", async (partitions) => {
    const container = await filled(partitions === 1 ? world : wide, documents);
    const scores = bm25(
      documents.map(({ text }) => text),
      ["zebra", "ember"],
    );
    const scoreOf = new Map(documents.map(({ id }, index) => [id, scores[index] ?? 0]));
    for (const options of [{}, { forceQueryPlan: true }]) {
      const found = await all<{ id: string }>(container, RANKED, ["zebra", "ember"], options);
      const got = found.map(({ id }) => scoreOf.get(id) ?? -1);
      expect(got).toHaveLength(40);
      expect(got).toEqual(got.toSorted((a, b) => b - a));
    }
  });

  test("statistics are those of all partitions, and follow writes and deletes", async () => {
    // In the partition itself both words are as rare: only the others make "qux" common.
    const own = [
      { id: "a", text: "qux" },
      { id: "b", text: "zebra" },
    ];
    const others = Array.from({ length: 8 }, (_, i) => ({ id: `o${i}`, pk: `q${i}`, text: "qux" }));
    const container = await filled(world, [...own, ...others]);
    const query = "SELECT TOP 2 c.id FROM c WHERE c.pk = 'p' ORDER BY RANK FullTextScore(c.text, @0, @1)";
    const first = async () => (await all<{ id: string }>(container, query, ["qux", "zebra"]))[0]?.id;
    expect(await first()).toBe("b");
    for (const { id, pk } of others) await container.items.upsert({ id, pk, text: "zebra" });
    expect(await first()).toBe("a");
    for (const { id, pk } of others) await container.item(id, pk).delete();
    await container.items.create({ id: "c", pk: "r", text: "qux" });
    expect(await first()).toBe("b");
  });

  test("RRF merges ranks, with weights", async () => {
    const items = [
      { id: "text", text: "fox fox fox", vector: at(80) },
      { id: "vector", text: "dog", vector: at(0) },
      { id: "middle", text: "fox in a long text of many words", vector: at(20) },
    ];
    const container = await filled(world, items);
    const order = async (weights: string) => {
      const query = `SELECT TOP 3 c.id FROM c ORDER BY RANK RRF(FullTextScore(c.text, 'fox'), VectorDistance(c.vector, @0)${weights})`;
      return (await all<{ id: string }>(container, query, [at(0)])).map(({ id }) => id);
    };
    expect((await order(", [9, 1]"))[0]).toBe("text");
    expect((await order(", [1, 9]"))[0]).toBe("vector");
    expect(new Set(await order(""))).toEqual(new Set(["text", "vector", "middle"]));
  });

  test("has no effect with a partition key", async () => {
    const container = await filled(world, [
      { id: "first", text: "dog" },
      { id: "second", text: "fox" },
    ]);
    const query = "SELECT TOP 1 c.id FROM c ORDER BY RANK FullTextScore(c.text, @0)";
    expect(await all(container, query, ["fox"], { partitionKey: "p" })).toEqual([{ id: "first" }]);
    expect(await all(container, query, ["fox"])).toEqual([{ id: "second" }]);
  });

  test("forgets the partition key once it has a plan: only a condition keeps tenants apart", async () => {
    const container = await filled(wide, documents);
    const options = { partitionKey: "p1", forceQueryPlan: true };
    const mixed = await all<{ pk: string }>(container, RANKED.replace("c.id", "c.pk"), ["zebra", "ember"], options);
    expect(new Set(mixed.map(({ pk }) => pk)).size).toBe(10);
    const query = RANKED.replace("c.id FROM c", "c.pk FROM c WHERE c.pk = 'p1'");
    const own = await all<{ pk: string }>(container, query, ["zebra", "ember"], options);
    expect(own).toEqual(Array(4).fill({ pk: "p1" }));
  });
});

test("VectorDistance with a partition key that needs a plan gives the same", async () => {
  const planned = await startWorld({ partitions: 3, settings: { vectorQueries: "planned" } });
  try {
    const container = await filled(planned, [...circle, { id: "other", pk: "q", vector: at(0) }]);
    const found = await all<{ id: string; cos: number }>(container, NEAREST, [at(0), "p"], { partitionKey: "p" });
    expect(found.map(({ cos }) => cos)).toEqual(found.map(({ cos }) => cos).toSorted((a, b) => b - a));
    expect(found.map(({ id }) => id)).not.toContain("other");
    expect(found).toHaveLength(50);
  } finally {
    await planned.stop();
  }
});

describe("refused, with a reason:", () => {
  test.each([
    ["SELECT TOP 5 FullTextScore(c.text, 'x') FROM c", "only allowed in the ORDER BY RANK clause"],
    ["SELECT TOP 5 * FROM c WHERE FullTextScore(c.text, 'x') > 1", "only allowed in the ORDER BY RANK clause"],
    ["SELECT TOP 5 * FROM c ORDER BY FullTextScore(c.text, 'x')", "only allowed in the ORDER BY RANK clause"],
    ["SELECT TOP 5 * FROM c ORDER BY RANK c.text", "must be followed by a VectorDistance and/or a FullTextScore"],
    ["SELECT TOP 5 * FROM c ORDER BY RANK FullTextScore(c.text, 'x'), c.id", "cannot be combined"],
    ["SELECT TOP 5 * FROM c ORDER BY RANK FullTextScore(c.text, 'x') DESC", "neither ASC nor DESC"],
    ["SELECT TOP 5 * FROM c ORDER BY RANK FullTextScore(c.title, 'x')", "needs a full-text policy"],
    ["SELECT * FROM c ORDER BY RANK FullTextScore(c.text, 'x')", "needs TOP, or OFFSET and LIMIT"],
    ["SELECT TOP 5 * FROM c ORDER BY RANK RRF(FullTextScore(c.text, 'x'))", "RRF takes two or more scores"],
    ["SELECT TOP 5 * FROM c ORDER BY RANK FullTextScore(c.text, 'two words')", "FullTextScore of a phrase"],
    ["SELECT TOP 5 * FROM c ORDER BY VectorDistance(c.vector, [1]) DESC", "DESC with ORDER BY VectorDistance"],
    ["SELECT TOP 5 * FROM c ORDER BY VectorDistance(c.vector, [1]), c.id", "together with other expressions"],
    ["SELECT TOP 5 * FROM c ORDER BY VectorDistance(c.vector)", "requires 2 to 4 argument(s)"],
  ])("%s", async (query, words) => {
    const container = await filled(world, [{ id: "a", text: "x", vector: at(0) }]);
    const { code, message } = await failure(container.items.query(query).fetchAll());
    expect([code, message]).toEqual([400, expect.stringContaining(words)]);
  });
});
