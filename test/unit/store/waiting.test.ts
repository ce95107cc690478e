/** Against the local Cosmos DB server, with the app's own connection; over one physical partition and over three. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inLanes } from "../../../bench/lib/lanes.ts";
import type { FaultRule } from "../../../local/cosmos/faults.ts";
import { type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import { readConfig } from "../../../src/config.ts";
import { AccountConsistency } from "../../../src/store/consistency.ts";
import { type CosmosConnection, connectCosmos } from "../../../src/store/cosmos.ts";
import { CostMeter } from "../../../src/store/cost.ts";
import { SnapshotCache } from "../../../src/store/snapshots.ts";
import { Store } from "../../../src/store/store.ts";
import { StoreHealth } from "../../../src/store/trouble.ts";
import { WaitingRuns } from "../../../src/store/waiting.ts";

const LATER = 1_000_000;

interface World {
  server: CosmosServer;
  connection: CosmosConnection;
  runs: WaitingRuns;
  store: Store;
  stop(): Promise<void>;
}

/** A store in which these tenants' runs wait, one after the other. `due` in milliseconds from 1. */
async function storeOf(tenants: string[], partitions: number): Promise<World> {
  const server = await startCosmos({ partitions });
  const config = readConfig({
    COSMOS_ENDPOINT: server.endpoint,
    COSMOS_KEY: server.key,
    COSMOS_CREATE_CONTAINERS: "true",
    ServiceBusConnection: "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=k",
    MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
  });
  const health = new StoreHealth(Date.now);
  const consistency = new AccountConsistency();
  const connection = connectCosmos(config, new CostMeter(), health);
  await connection.prepare();
  const { containers } = connection;
  const docs = tenants.map((tenant, index) => {
    return { id: `run_${index}`, pk: `${tenant}:${index}`, kind: "run", internal: { tenant, due: index + 1 } };
  });
  await inLanes(docs.length, 20, async (index) => {
    const doc = docs[index];
    if (doc !== undefined) await containers.threads.items.create(doc);
  });
  return {
    server,
    connection,
    runs: new WaitingRuns({ containers, health, consistency }),
    store: new Store(containers, "account", { health, snapshots: new SnapshotCache(), consistency }),
    async stop() {
      connection.close();
      await server.stop();
    },
  };
}

const rounded = (byTenant: Map<string, number>) =>
  Object.fromEntries([...byTenant].map(([tenant, count]) => [tenant, Math.round(count)]));

describe.each([1, 3])("over %i physical partitions", (partitions) => {
  let world: World;
  beforeAll(async () => {
    world = await storeOf(["a", "a", "b", "c"], partitions);
  });
  beforeEach(() => world.server.setFaults([]));
  afterAll(() => world.stop());

  test("up to the limit, it is only told how many wait", async () => {
    expect(await world.runs.count(LATER, 4)).toEqual({ total: 4, byTenant: new Map() });
  });

  test("beyond it, how many are whose; those that are not due yet do not wait", async () => {
    const { total, byTenant } = await world.runs.count(4, 2);
    expect([total, rounded(byTenant)]).toEqual([3, { a: 2, b: 1 }]);
  });

  test.each<FaultRule>([
    { fault: "empty-page" },
    { fault: "short-page", items: 1 },
    { fault: "empty-page", rate: 0.5 },
    { fault: "partial-aggregate" },
  ])("with $fault: the same runs, and the process does not freeze", async (rule) => {
    world.server.setFaults([rule]);
    const { total, byTenant } = await world.runs.count(LATER, 2);
    expect([total, rounded(byTenant)]).toEqual([4, { a: 2, b: 1, c: 1 }]);
    expect((await world.store.overdueRuns(LATER, 10)).map(({ id }) => id)).toEqual([
      "run_0",
      "run_1",
      "run_2",
      "run_3",
    ]);
  });

  test("after a split of a physical partition: the next query sees all of it", async () => {
    const split = new URL("/_local/split/threadkeep/threads/0", world.server.endpoint);
    expect((await world.store.overdueRuns(LATER, 10)).length).toBe(4);
    expect((await fetch(split, { method: "POST" })).status).toBe(200);
    expect((await world.store.overdueRuns(LATER, 10)).length).toBe(4);
    expect(await world.runs.count(LATER, 4)).toMatchObject({ total: 4 });
  });

  test("a store that hangs ends the query with trouble", async () => {
    world.server.setFaults([{ fault: "hang" }]);
    await expect(world.store.overdueRuns(LATER, 10)).rejects.toThrow("the store did not do a request");
  });
});

test("of a long queue both ends are looked at: a flood that began later is seen, too", async () => {
  const world = await storeOf([...Array(700).fill("a"), ...Array(700).fill("b")], 1);
  try {
    const { total, byTenant } = await world.runs.count(LATER, 1_000);
    expect([total, rounded(byTenant)]).toEqual([1_400, { a: 700, b: 700 }]);
  } finally {
    await world.stop();
  }
});
