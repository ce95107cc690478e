/** Against the local Cosmos DB server, with the real client. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTAINERS, THREADS } from "../../../src/store/containers.ts";
import { WaitingRuns } from "../../../src/store/waiting.ts";
import { startWorld, type World } from "../../local/cosmos/harness.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(() => world.stop());

/** A store in which these runs wait, one after the other. `due` in milliseconds from 1. */
async function storeOf(tenants: string[]) {
  const indexingPolicy = CONTAINERS.find(({ id }) => id === THREADS)?.indexingPolicy ?? {};
  const container = await world.container({ indexingPolicy });
  const docs = tenants.map((tenant, index) => {
    return { id: `run_${index}`, pk: `${tenant}:${index}`, kind: "run", internal: { tenant, due: index + 1 } };
  });
  await Promise.all(docs.map((doc) => container.items.create(doc)));
  return new WaitingRuns(container);
}

const LATER = 1_000_000;
const rounded = (byTenant: Map<string, number>) =>
  Object.fromEntries([...byTenant].map(([tenant, count]) => [tenant, Math.round(count)]));

test("up to the limit, it is only told how many wait", async () => {
  const runs = await storeOf(["a", "a", "b"]);
  expect(await runs.count(LATER, 3)).toEqual({ total: 3, byTenant: new Map() });
});

test("beyond it, how many are whose; those that are not due yet do not wait", async () => {
  const runs = await storeOf(["a", "a", "b", "c"]);
  const { total, byTenant } = await runs.count(4, 2);
  expect([total, rounded(byTenant)]).toEqual([3, { a: 2, b: 1 }]);
});

test("of a long queue both ends are looked at: a flood that began later is seen, too", async () => {
  const runs = await storeOf([...Array(700).fill("a"), ...Array(700).fill("b")]);
  const { total, byTenant } = await runs.count(LATER, 1_000);
  expect([total, rounded(byTenant)]).toEqual([1_400, { a: 700, b: 700 }]);
});
