import { expect, test } from "vitest";
import { Backlog } from "../../../src/api/backlog.ts";
import { ApiError } from "../../../src/resources/errors.ts";

/** A backlog with this limit, ten seconds after its start, and counted once. */
async function backlogOf(limit: number, waiting: Record<string, number>) {
  let now = 0;
  const total = Object.values(waiting).reduce((sum, count) => sum + count, 0);
  let counts = 0;
  const runs = {
    count: async () => {
      counts += 1;
      return { total, byTenant: new Map(Object.entries(waiting)) };
    },
  };
  const backlog = new Backlog(
    runs,
    limit,
    () => now,
    () => {},
  );
  backlog.admit("first");
  now += 10_000;
  backlog.admit("first");
  await new Promise(setImmediate);
  return {
    admits: (tenant: string) => {
      try {
        backlog.admit(tenant);
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 429) return false;
        throw error;
      }
    },
    counts: () => counts,
  };
}

test("only the tenant is refused whose runs are too many", async () => {
  const { admits } = await backlogOf(100, { a: 99, b: 2 });
  expect([admits("a"), admits("b"), admits("c")]).toEqual([false, true, true]);
});

test("up to the limit, no tenant is refused", async () => {
  const { admits } = await backlogOf(100, { a: 90, b: 10 });
  expect([admits("a"), admits("b")]).toEqual([true, true]);
});

test("a tenant alone may use the whole limit", async () => {
  const { admits } = await backlogOf(100, { a: 100 });
  expect(admits("a")).toBe(true);
});

test("if the limit is exceeded, at least one tenant is refused, however the runs are spread", async () => {
  const { admits } = await backlogOf(99, { a: 33, b: 33, c: 34 });
  expect([admits("a"), admits("b"), admits("c")]).toEqual([true, true, false]);
});

test("the store is asked once in ten seconds, however many runs are created", async () => {
  const { admits, counts } = await backlogOf(100, { a: 1 });
  for (let i = 0; i < 50; i++) admits("a");
  expect(counts()).toBe(1);
});
