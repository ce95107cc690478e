import type { Container, OperationInput } from "@azure/cosmos";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWorld, type World } from "./harness.ts";

let world: World;
let spread: World;
beforeAll(async () => {
  world = await startWorld();
  spread = await startWorld({ partitions: 3 });
});
afterAll(async () => {
  await world.stop();
  await spread.stop();
});

/** With three physical partitions, q lies in the first, p, b and c in the second, a in the third. */
const KEYS = ["p", "q", "a", "b", "c"];

/** What the container should hold: values by partition and id. */
type Model = Map<string, number>;

interface Step {
  kind: "create" | "upsert" | "delete" | "patch" | "batch" | "query" | "query-all";
  pk: string;
  ids: string[];
  v: number;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("create", "upsert", "delete", "patch", "batch", "query", "query-all"),
    pk: fc.constantFrom(...KEYS),
    ids: fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { minLength: 1, maxLength: 4 }),
    v: fc.integer({ min: 0, max: 20 }),
  }),
  { minLength: 20, maxLength: 60 },
);

const statusOf = (call: Promise<{ statusCode: number }>) =>
  call.then(
    ({ statusCode }) => statusCode,
    (error: { code: number }) => error.code,
  );

async function take(container: Container, model: Model, { kind, pk, ids, v }: Step): Promise<void> {
  const [id = "a"] = ids;
  const key = `${pk}|${id}`;
  const known = model.get(key);
  switch (kind) {
    case "create":
      expect(await statusOf(container.items.create({ id, pk, v }))).toBe(known === undefined ? 201 : 409);
      if (known === undefined) model.set(key, v);
      return;
    case "upsert":
      expect(await statusOf(container.items.upsert({ id, pk, v }))).toBe(known === undefined ? 201 : 200);
      model.set(key, v);
      return;
    case "delete":
      expect(await statusOf(container.item(id, pk).delete())).toBe(model.delete(key) ? 204 : 404);
      return;
    case "patch": {
      const patch = { condition: "FROM c WHERE c.v < 10", operations: [{ op: "incr" as const, path: "/v", value: 1 }] };
      const expected = known === undefined ? 404 : known < 10 ? 200 : 412;
      expect(await statusOf(container.item(id, pk).patch(patch))).toBe(expected);
      if (expected === 200) model.set(key, (known ?? 0) + 1);
      return;
    }
    case "batch":
      return takeBatch(container, model, pk, ids, v);
    case "query":
      return compareQuery(container, model, pk, v);
    case "query-all":
      return compareAll(container, model, v);
  }
}

/** Creates each id in one batch: none is there afterwards when one was there before or comes twice. */
async function takeBatch(container: Container, model: Model, pk: string, ids: string[], v: number): Promise<void> {
  const operations: OperationInput[] = ids.map((id) => ({ operationType: "Create", resourceBody: { id, pk, v } }));
  const free = new Set(ids).size === ids.length && ids.every((id) => !model.has(`${pk}|${id}`));
  const { code } = await container.items.batch(operations, pk);
  expect(code).toBe(free ? 200 : 207);
  if (free) for (const id of ids) model.set(`${pk}|${id}`, v);
}

async function compareQuery(container: Container, model: Model, pk: string, least: number): Promise<void> {
  const query = {
    query: "SELECT c.id, c.v FROM c WHERE c.v >= @v ORDER BY c.v DESC",
    parameters: [{ name: "@v", value: least }],
  };
  const { resources } = await container.items.query(query, { partitionKey: pk, maxItemCount: 2 }).fetchAll();
  const expected = [...model].filter(([key, v]) => key.startsWith(`${pk}|`) && v >= least);
  expect(resources.map(({ id, v }) => [`${pk}|${id}`, v]).sort()).toEqual(expected.sort());
  const order = resources.map(({ v }) => v as number);
  expect(order).toEqual(order.toSorted((a, b) => b - a));
}

/** The same over all partitions: sorted, counted, and as it comes. */
async function compareAll(container: Container, model: Model, least: number): Promise<void> {
  const expected = [...model].filter(([, v]) => v >= least);
  const where = `FROM c WHERE c.v >= ${least}`;
  const sorted = container.items.query<{ id: string; pk: string; v: number }>(
    `SELECT c.id, c.pk, c.v ${where} ORDER BY c.v DESC`,
    { maxItemCount: 3 },
  );
  const { resources } = await sorted.fetchAll();
  expect(resources.map(({ id, pk, v }) => [`${pk}|${id}`, v]).sort()).toEqual(expected.toSorted());
  const order = resources.map(({ v }) => v);
  expect(order).toEqual(order.toSorted((a, b) => b - a));
  const count = await container.items.query<number>(`SELECT VALUE COUNT(1) ${where}`).fetchAll();
  expect(count.resources).toEqual([expected.length]);
  const plain = await container.items.query<string>(`SELECT VALUE c.id ${where}`, { maxItemCount: 2 }).fetchAll();
  expect(plain.resources.toSorted()).toEqual(expected.map(([key]) => key.split("|")[1]).sort());
}

test.each([
  ["one physical partition", () => world],
  ["three physical partitions", () => spread],
])(
  "whatever is done in whatever order, a container of %s holds what a plain map would",
  async (_, where) => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const container = await where().container();
        const model: Model = new Map();
        for (const step of sequence) await take(container, model, step);
        for (const pk of KEYS) await compareQuery(container, model, pk, 0);
        await compareAll(container, model, 0);
        await container.delete();
      }),
      { seed: 20261123, numRuns: 15 },
    );
  },
  60_000,
);

const paths = ["c.a", "c.b", "c.o.x"];
const literals = ["1", "2", "'m'", "true"];
const condition = fc.oneof(
  fc
    .tuple(fc.constantFrom(...paths), fc.constantFrom("=", "<", "<=", ">", ">=", "!="), fc.constantFrom(...literals))
    .map((parts) => parts.join(" ")),
  fc
    .tuple(fc.constantFrom(...literals), fc.constantFrom("=", "<", ">="), fc.constantFrom(...paths))
    .map((parts) => parts.join(" ")),
  fc
    .tuple(fc.constantFrom(...paths), fc.constantFrom(...literals), fc.constantFrom(...literals))
    .map(([path, low, high]) => `${path} BETWEEN ${low} AND ${high}`),
  fc.constantFrom(...paths).map((path) => `IS_DEFINED(${path})`),
  fc.constantFrom(...paths).map((path) => `NOT IS_DEFINED(${path})`),
);
const where = fc
  .array(fc.tuple(condition, fc.constantFrom(" AND ", " AND ", " AND ", " OR ")), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map(([text, glue], i) => (i === 0 ? text : `${glue}${text}`)).join(""));

test("a query gives the same whether an index answers it or every item is looked at", async () => {
  const values = [undefined, null, false, true, -1, 0, 1, 1.5, 2, "", "a", "m", "z", [1], { k: 1 }];
  const indexed = await world.container();
  const scanned = await world.container({ indexingPolicy: { includedPaths: [], excludedPaths: [{ path: "/*" }] } });
  for (let i = 0; i < 150; i++) {
    const [a, b, x] = [values[i % 15], values[(i * 7 + 3) % 15], values[(i * 11 + 5) % 14]];
    const item = { id: `i${i}`, pk: `p${i % 3}`, a, b, o: i % 4 === 0 ? undefined : { x } };
    await Promise.all([indexed.items.create(item), scanned.items.create(item)]);
  }
  const query = fc.record({
    where,
    order: fc.constantFrom("", " ORDER BY c.a", " ORDER BY c.b DESC", " ORDER BY c.o.x"),
    partitionKey: fc.constantFrom(undefined, "p0", "p1"),
  });
  const ids = async (container: Container, text: string, partitionKey: string | undefined): Promise<string[]> => {
    const options = { maxItemCount: 9, ...(partitionKey !== undefined && { partitionKey }) };
    return (await container.items.query(text, options).fetchAll()).resources;
  };
  await fc.assert(
    fc.asyncProperty(query, async ({ where, order, partitionKey }) => {
      const text = `SELECT VALUE c.id FROM c WHERE ${where}`;
      const expected = await ids(scanned, text, partitionKey);
      const found = await ids(indexed, text + order, partitionKey);
      expect(found.toSorted()).toEqual(expected.toSorted());
    }),
    { seed: 20261123, numRuns: 300 },
  );
});
