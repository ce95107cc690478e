/** Filters of a search mean in Cosmos DB's SQL what the contract says. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { queryObjects } from "../../../local/cosmos/prepared-query.ts";
import type { Json } from "../../../local/cosmos/sql/values.ts";
import type { AttributeFilter, Attributes, AttributeValue } from "../../../src/resources/attributes.ts";
import { filterCondition } from "../../../src/search/filters.ts";
import { type Library, newStore, startLibrary, TENANT } from "./library.ts";

/** The contract in a few lines. */
function matches(filter: AttributeFilter, attributes: Attributes): boolean {
  if ("filters" in filter) {
    const each = filter.filters.map((part) => matches(part, attributes));
    return filter.type === "and" ? each.every(Boolean) : each.some(Boolean);
  }
  const has = Object.hasOwn(attributes, filter.key);
  const own = has ? attributes[filter.key] : undefined;
  if (filter.type === "in" || filter.type === "nin") {
    return (has && filter.value.some((value) => value === own)) === (filter.type === "in");
  }
  if (filter.type === "eq" || filter.type === "ne") return (has && own === filter.value) === (filter.type === "eq");
  if (own === undefined || typeof own !== typeof filter.value) return false;
  const { value } = filter;
  return { gt: own > value, gte: own >= value, lt: own < value, lte: own <= value }[filter.type];
}

const keys = fc.constantFrom("a", "B c", 'quo"te', "back\\slash", "it's", "__proto__", "日本", "a.b", "]", "\n");
const values: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.constantFrom("", "x", "y", "1", "true", 'quo"te'),
  fc.constantFrom(0, 1, -1, 1.5, 1e21),
  fc.boolean(),
);
const comparisons = fc.oneof(
  fc.record({ type: fc.constantFrom("eq", "ne", "gt", "gte", "lt", "lte"), key: keys, value: values }),
  fc.record({ type: fc.constantFrom("in", "nin"), key: keys, value: fc.array(values, { maxLength: 4 }) }),
) as fc.Arbitrary<AttributeFilter>;
const { filter: filters } = fc.letrec<{ filter: AttributeFilter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    comparisons,
    fc.record({
      type: fc.constantFrom("and" as const, "or" as const),
      filters: fc.array(tie("filter"), { maxLength: 3 }),
    }),
  ),
}));
const attributes = fc
  .array(fc.tuple(keys, values), { maxLength: 6 })
  .map((pairs) => JSON.parse(`{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)}}`));

test("2,000 filters over any attributes select what the contract says", () => {
  const property = fc.property(filters, fc.array(attributes, { minLength: 1, maxLength: 8 }), (filter, all) => {
    const { sql, parameters } = filterCondition(filter);
    const given = new Map(parameters.map(({ name, value }): [string, Json] => [name, value as Json]));
    const objects = all.map((own: Attributes, index) => ({ id: String(index), attributes: own }));
    const found = queryObjects(objects, `SELECT VALUE c.id FROM c WHERE c.id >= '' AND (${sql})`, given);
    const expected = objects.filter((object) => matches(filter, object.attributes)).map(({ id }) => id);
    expect(found).toEqual(expected);
  });
  fc.assert(property, { numRuns: 2_000 });
});

let library: Library;
beforeAll(async () => {
  library = await startLibrary({ dimensions: 4 });
});
afterAll(() => library.close());

const vector = [1, 0, 0, 0];

test("60 of them through the SDK, in a search by meaning and in one by words", async () => {
  const store = newStore();
  const all: Attributes[] = fc.sample(attributes, { numRuns: 50, seed: 7 });
  const passages = all.map((own, n) => ({ file: `file-${n}`, text: "a word", vector, attributes: own }));
  await library.add(TENANT, store, passages);
  const chunks = library.app.store.chunks(TENANT, store);
  const { signal } = new AbortController();
  for (const filter of fc.sample(filters, { numRuns: 60, seed: 11 })) {
    const condition = filterCondition(filter);
    const expected = all.flatMap((own, n) => (matches(filter, own) ? `file-${n}` : [])).sort();
    const near = await chunks.nearest(vector, condition, signal);
    const byWords = await chunks.withWords(["word"], vector, condition, signal);
    for (const found of [near, byWords]) expect(found.map(({ file_id: id }) => id).sort()).toEqual(expected);
  }
});

test("a key cannot leave its brackets", async () => {
  const store = newStore();
  await library.add(TENANT, store, [{ file: "file-a", text: "a word", vector, attributes: {} }]);
  const search = (key: string) =>
    library.search("word", {
      vectorStoreId: store,
      queries: [{ text: "word", vector }],
      filters: { type: "eq", key, value: 1 },
    });
  for (const key of ['x"] = 1 OR true --', "x'] OR true --", '\\"] OR c.id != "', "\u2028"]) {
    expect(await search(key)).toEqual([]);
  }
});
