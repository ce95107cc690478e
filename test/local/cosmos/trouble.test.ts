import type { Container, OperationInput } from "@azure/cosmos";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { FaultRule } from "../../../local/cosmos/server.ts";
import { clientFor, startWorld, type World } from "./harness.ts";

/** The faults that stand for what Azure's own gateway and replicas do; faults.test.ts has the connections and the rules. */
let world: World;
let container: Container;
beforeAll(async () => {
  world = await startWorld();
});
beforeEach(async () => {
  world.server.setFaults([]);
  container = await world.container();
});
afterAll(() => world.stop());

/** The error of a call; a call that works is a failed test. */
const errorOf = (call: Promise<unknown>): Promise<{ code?: unknown; substatus?: unknown; message: string }> =>
  call.then(
    () => {
      throw new Error("The call succeeded.");
    },
    (error) => error,
  );

describe("an injected error", () => {
  test.each([
    ["403-3", 403, 3],
    ["408", 408, undefined],
    ["410", 410, undefined],
    ["449", 449, undefined],
    ["500", 500, undefined],
    ["503", 503, undefined],
    ["504", 504, undefined],
  ] as const)("%s has its status and substatus, and nothing was done", async (fault, code, substatus) => {
    world.server.setFaults([{ fault, times: 1, operations: ["create"] }]);
    const error = await errorOf(container.items.create({ id: "a", pk: "p" }));
    expect([error.code, error.substatus]).toEqual([code, substatus]);
    expect((await container.item("a", "p").read()).statusCode).toBe(404);
  });

  test("404-1002 looks like a document that does not exist, but for the substatus", async () => {
    await container.items.create({ id: "a", pk: "p" });
    world.server.setFaults([{ fault: "404-1002", operations: ["read"] }]);
    expect(await container.item("a", "p").read()).toMatchObject({ statusCode: 404, substatus: 1002 });
  });

  test("502-html and empty-body have no JSON, which the SDK trips over", async () => {
    world.server.setFaults([{ fault: "502-html", operations: ["create"] }]);
    const html = await errorOf(container.items.create({ id: "a", pk: "p" }));
    expect(html).toBeInstanceOf(SyntaxError);
    world.server.setFaults([{ fault: "empty-body", operations: ["create"] }]);
    const empty = await errorOf(container.items.create({ id: "a", pk: "p" }));
    expect(empty).toBeInstanceOf(TypeError);
    world.server.setFaults([{ fault: "500", body: "html", operations: ["create"] }]);
    expect(await errorOf(container.items.create({ id: "a", pk: "p" }))).toBeInstanceOf(SyntaxError);
  });

  test("410 takes any substatus, and 429 tells how long to wait", async () => {
    world.server.setFaults([{ fault: "410", substatus: 1007 }]);
    expect(await errorOf(container.items.create({ id: "a", pk: "p" }))).toMatchObject({ code: 410, substatus: 1007 });
    world.server.setFaults([{ fault: "429", ms: 250 }]);
    const error = await errorOf(container.items.create({ id: "a", pk: "p" }));
    expect(error).toMatchObject({ code: 429, substatus: 3200, retryAfterInMs: 250 });
  });

  test("may come after the work is done", async () => {
    world.server.setFaults([{ fault: "503", when: "after", operations: ["create"], times: 1 }]);
    expect(await errorOf(container.items.create({ id: "a", pk: "p" }))).toMatchObject({ code: 503 });
    expect((await container.item("a", "p").read()).statusCode).toBe(200);
  });

  test("may strike what is not about documents, and only for a time", async () => {
    world.server.setFaults([{ fault: "503", operations: ["metadata", "change-feed", "query-plan"], forMs: 60_000 }]);
    expect(await errorOf(container.read())).toMatchObject({ code: 503 });
    expect((await container.items.create({ id: "a", pk: "p" })).statusCode).toBe(201);
    world.server.setFaults([{ fault: "503", operations: ["metadata"], forMs: 0 }]);
    expect((await container.read()).statusCode).toBe(200);
  });
});

describe("one operation of a batch", () => {
  const upserts: OperationInput[] = ["a", "b", "c"].map((id) => ({
    operationType: "Upsert",
    resourceBody: { id, pk: "p" },
  }));

  test.each([
    ["408-in-batch", 408],
    ["410-in-batch", 410],
    ["429-in-batch", 429],
    ["449-in-batch", 449],
    ["500-in-batch", 500],
    ["503-in-batch", 503],
  ] as const)("fails with %s: the others are not done either", async (fault, status) => {
    world.server.setFaults([{ fault, index: 1, times: 1 }]);
    const first = await container.items.batch(upserts, "p");
    expect([first.code, first.result?.map(({ statusCode }) => statusCode)]).toEqual([207, [424, status, 424]]);
    expect((await container.item("a", "p").read()).statusCode).toBe(404);
    const again = await container.items.batch(upserts, "p");
    expect(again.result?.map(({ statusCode }) => statusCode)).toEqual([201, 201, 201]);
  });

  test("is the last unless the rule says which", async () => {
    world.server.setFaults([{ fault: "449-in-batch", containing: ['"id":"c"'] }]);
    const { result } = await container.items.batch(upserts, "p");
    expect(result?.map(({ statusCode }) => statusCode)).toEqual([424, 424, 449]);
    expect((await container.items.batch(upserts.slice(0, 2), "p")).code).toBe(200);
  });
});

test("a request that hangs is never answered, and its work is done only if the rule says after", async () => {
  for (const when of ["before", "after"] as const) {
    const id = `hang ${when}`;
    world.server.setFaults([{ fault: "hang", when, operations: ["create"] }]);
    const client = clientFor(world.server.endpoint, {
      connectionPolicy: { enableEndpointDiscovery: false, requestTimeout: 200 },
    });
    const error = await errorOf(client.database("tests").container(container.id).items.create({ id, pk: "p" }));
    expect(error.code).toBe("TimeoutError");
    await vi.waitUntil(() => world.server.faults()[0]?.held === 0);
    world.server.setFaults([]);
    expect((await container.item(id, "p").read()).statusCode).toBe(when === "after" ? 200 : 404);
    client.dispose();
  }
});

test("a server with requests that hang can be stopped", async () => {
  const own = await startWorld();
  const mine = await own.container();
  own.server.setFaults([{ fault: "hang", operations: ["create"] }]);
  const creation = errorOf(mine.items.create({ id: "a", pk: "p" }));
  await vi.waitUntil(() => own.server.faults()[0]?.held === 1);
  await own.stop();
  expect((await creation).message).not.toBe("The call succeeded.");
});

describe("pages", () => {
  beforeEach(async () => {
    for (let n = 0; n < 7; n++) await container.items.create({ id: `${n}`, pk: "p", n });
  });

  async function pages<T>(query: string, rules: FaultRule[]): Promise<T[][]> {
    world.server.setFaults(rules);
    const found: T[][] = [];
    const iterator = container.items.query<T>(query, { partitionKey: "p" });
    while (iterator.hasMoreResults()) found.push((await iterator.fetchNext()).resources);
    return found;
  }

  test("start with an empty one that has a continuation token", async () => {
    const query = "SELECT VALUE c.n FROM c ORDER BY c.n";
    expect(await pages(query, [{ fault: "empty-page" }])).toEqual([[], [0, 1, 2, 3, 4, 5, 6]]);
    expect(await pages(query, [{ fault: "empty-page" }, { fault: "short-page", items: 4 }])).toEqual([
      [],
      [0, 1, 2, 3],
      [],
      [4, 5, 6],
    ]);
  });

  test("of a COUNT may be two, whose sum is the answer", async () => {
    const parts = await pages<number>("SELECT VALUE COUNT(1) FROM c", [{ fault: "partial-aggregate" }]);
    expect(parts).toEqual([[3], [4]]);
    const others = ["SELECT VALUE AVG(c.n) FROM c", "SELECT c.n, COUNT(1) AS many FROM c GROUP BY c.n"];
    for (const query of others) expect(await pages(query, [{ fault: "partial-aggregate" }])).toHaveLength(1);
  });
});
