/** What Cosmos DB may answer to a query, and the local store does not: pages without documents, counts in parts. */
import { expect, test } from "vitest";
import { page, pageQuery } from "../../../src/api/paging.ts";
import { type MessageDoc, messageSort, runSort, threadKey } from "../../../src/store/documents.ts";
import { wholeRange } from "../../../src/store/ranges.ts";
import { deleteThread } from "../../../src/threads/delete.ts";
import { NOW, place, runIn } from "../documents.ts";
import { startWorld } from "../threads/world.ts";
import { type OddGateway, startOddGateway } from "./odd-gateway.ts";

async function startOddWorld(oddity: Parameters<typeof startOddGateway>[1]) {
  const gateways: OddGateway[] = [];
  const world = await startWorld(async ({ endpoint }) => {
    const gateway = await startOddGateway(endpoint, oddity);
    gateways.push(gateway);
    return gateway.endpoint;
  });
  const stop = async () => {
    await world.stop();
    for (const gateway of gateways) await gateway.stop();
  };
  return { ...world, madeUp: () => gateways.reduce((sum, gateway) => sum + gateway.madeUp(), 0), stop };
}

test("an empty page ends neither a list nor a purge", async () => {
  const world = await startOddWorld("empty-pages");
  try {
    const thread = await world.thread(5);
    const { partition } = thread;
    expect(await partition.ids(100)).toHaveLength(6);
    expect(await partition.list({ range: wholeRange(messageSort), descending: true, limit: 3 })).toHaveLength(3);
    const query = { ...pageQuery.parse({}), limit: 5 };
    expect(await page<MessageDoc>({ partition, sort: messageSort }, query, NOW)).toMatchObject({ has_more: false });

    await deleteThread(world.app.store, world.app.wakeUps, thread.tenant, thread.id, world.app.now());
    await world.purge(thread);

    expect(await thread.count()).toBe(0);
    expect(world.madeUp()).toBeGreaterThanOrEqual(4);
  } finally {
    await world.stop();
  }
});

test("overdue runs are counted in full when the store counts them in parts", async () => {
  const world = await startOddWorld("partial-counts");
  try {
    const { tenant, id, partition } = await world.thread(0);
    for (const number of [1, 2, 3]) {
      const run = runIn("queued");
      const internal = { ...run.internal, sort: runSort(place(number)), due: number };
      await partition.create({ ...run, id: `run_${place(number)}`, pk: threadKey(tenant, id), internal });
    }
    expect(await world.app.store.countOverdue(NOW)).toBe(3);
    expect(world.madeUp()).toBe(1);
  } finally {
    await world.stop();
  }
});
