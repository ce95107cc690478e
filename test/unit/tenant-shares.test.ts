import fc from "fast-check";
import { expect, test } from "vitest";
import { TenantShares } from "../../src/tenant-shares.ts";

/** Takes one by one until no more is given. */
function fill(shares: TenantShares, tenant: string): number {
  while (shares.take(tenant));
  return shares.heldBy(tenant);
}

test("a tenant gets half of what is there, the next one half of the rest, and the next finds room, too", () => {
  const shares = new TenantShares(100, 3);
  expect([fill(shares, "a"), fill(shares, "b"), fill(shares, "c")]).toEqual([50, 25, 13]);
  expect(shares.total).toBe(88);
});

test("a tenant that is the only one gets everything, and nothing beyond it", () => {
  expect(fill(new TenantShares(100, 1), "a")).toBe(100);
});

test("what is given back can be taken again, by another tenant too", () => {
  const shares = new TenantShares(4, 2);
  expect(fill(shares, "a")).toBe(2);
  shares.give("a", 2);
  expect(shares.tenants).toEqual([]);
  expect([fill(shares, "b"), fill(shares, "a")]).toEqual([2, 1]);
});

test("nothing can always be taken: a request without a body does not wait for bodies", () => {
  const shares = new TenantShares(4, 2);
  fill(shares, "a");
  expect(shares.take("a", 0)).toBe(true);
});

test("whatever tenants take and give back, the limit holds, and a tenant that holds nothing gets what is free", () => {
  const step = fc.record({ tenant: fc.constantFrom("a", "b", "c"), amount: fc.nat(30), gives: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (steps, limit) => {
      const shares = new TenantShares(limit, 4);
      for (const { tenant, amount, gives } of steps) {
        if (gives) shares.give(tenant, Math.min(amount, shares.heldBy(tenant)));
        else shares.take(tenant, amount);
        const held = ["a", "b", "c"].map((name) => shares.heldBy(name));
        expect(shares.total).toBe(held.reduce((sum, each) => sum + each));
        expect(shares.total).toBeLessThanOrEqual(limit);
      }
      expect(shares.take("d", limit - shares.total)).toBe(true);
    }),
  );
});
