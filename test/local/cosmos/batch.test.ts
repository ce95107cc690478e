import type { OperationInput } from "@azure/cosmos";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failure, startWorld, type World } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const create = (id: string, more: object = {}): OperationInput => ({
  operationType: "Create",
  resourceBody: { id, pk: "p", ...more },
});

test("a batch does all six kinds of operations at once and its charge is the sum", async () => {
  const container = await world.container();
  for (const id of ["replaced", "read", "deleted", "patched"]) await container.items.create({ id, pk: "p", n: 1 });
  const { code, result, headers } = await container.items.batch(
    [
      create("created"),
      { operationType: "Upsert", resourceBody: { id: "upserted", pk: "p" } },
      { operationType: "Replace", id: "replaced", resourceBody: { id: "replaced", pk: "p", n: 2 } },
      { operationType: "Read", id: "read" },
      { operationType: "Delete", id: "deleted" },
      { operationType: "Patch", id: "patched", resourceBody: { operations: [{ op: "incr", path: "/n", value: 4 }] } },
    ],
    "p",
  );
  expect(code).toBe(200);
  expect(result?.map(({ statusCode }) => statusCode)).toEqual([201, 201, 200, 200, 204, 200]);
  expect(result?.[5]?.resourceBody).toMatchObject({ n: 5 });
  const sum = result?.reduce((total, operation) => total + operation.requestCharge, 0) ?? 0;
  expect(Number(headers["x-ms-request-charge"])).toBeCloseTo(sum, 2);
});

test("an operation of a batch sees what the ones before it did", async () => {
  const container = await world.container();
  const { code } = await container.items.batch(
    [
      create("a", { n: 1 }),
      { operationType: "Patch", id: "a", resourceBody: { operations: [{ op: "incr", path: "/n", value: 1 }] } },
      { operationType: "Delete", id: "a" },
      create("a", { n: 9 }),
    ],
    "p",
  );
  expect(code).toBe(200);
  expect((await container.item("a", "p").read()).resource.n).toBe(9);
});

test("a batch with one failing operation leaves everything as it was", async () => {
  const container = await world.container();
  const { etag } = await container.items.create({ id: "old", pk: "p", n: 1 });
  await container.items.upsert({ id: "old", pk: "p", n: 2 });
  const failing: [OperationInput, number][] = [
    [create("old"), 409],
    [{ operationType: "Delete", id: "absent" }, 404],
    [{ operationType: "Replace", id: "old", ifMatch: etag, resourceBody: { id: "old", pk: "p" } }, 412],
    [
      {
        operationType: "Patch",
        id: "old",
        resourceBody: { condition: "from c where c.n = 1", operations: [{ op: "set", path: "/n", value: 3 }] },
      },
      412,
    ],
    [{ operationType: "Create", resourceBody: { id: "other", pk: "elsewhere" } }, 400],
  ];
  for (const [operation, status] of failing) {
    const { code, result } = await container.items.batch(
      [
        create("new"),
        { operationType: "Upsert", resourceBody: { id: "old", pk: "p", n: 7 } },
        operation,
        create("last"),
      ],
      "p",
    );
    expect(code).toBe(207);
    // The upsert inside the batch changes n, so the condition on n = 1 fails as well as the stale etag.
    expect(result?.map(({ statusCode }) => statusCode)).toEqual([424, 424, status, 424]);
    expect((await container.item("new", "p").read()).statusCode).toBe(404);
    expect((await container.item("old", "p").read()).resource.n).toBe(2);
  }
  const { resources } = await container.items.query("SELECT VALUE c.id FROM c ORDER BY c.n").fetchAll();
  expect(resources).toEqual(["old"]);
});

test("a batch is refused beyond 100 operations and beyond 2 MB", async () => {
  const container = await world.container();
  const many = Array.from({ length: 101 }, (_, i) => create(`${i}`));
  const large = Array.from({ length: 3 }, (_, i) => create(`${i}`, { text: "x".repeat(800_000) }));
  expect(await failure(container.items.batch(many, "p"))).toMatchObject({ message: expect.stringContaining("100") });
  expect(await failure(container.items.batch(large, "p"))).toMatchObject({
    message: expect.stringContaining("too large"),
  });
  const { resources } = await container.items.query("SELECT VALUE COUNT(1) FROM c").fetchAll();
  expect(resources).toEqual([0]);
});

test("a bulk request does each operation for itself, over many partitions", async () => {
  const container = await world.container();
  await container.items.create({ id: "taken", pk: "p0" });
  const inputs = Array.from({ length: 30 }, (_, i) => {
    const pk = `p${i % 3}`;
    return {
      operationType: "Create" as const,
      partitionKey: pk,
      resourceBody: { id: i === 3 ? "taken" : `i${i}`, pk },
    };
  });
  const results = await container.items.executeBulkOperations(inputs);
  const statuses = results.map(({ response, error }) => response?.statusCode ?? error?.code);
  expect(statuses.filter((status) => status === 201)).toHaveLength(29);
  expect(statuses[3]).toBe(409);
});
