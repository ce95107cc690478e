/** What Cosmos DB may answer to a query, and the local store does not: pages without documents, writes without etags. */
import { expect, test } from "vitest";
import { page, pageQuery } from "../../../src/api/paging.ts";
import { type MessageDoc, messageSort, threadKey } from "../../../src/store/documents.ts";
import { wholeRange } from "../../../src/store/ranges.ts";
import { deleteThread } from "../../../src/threads/delete.ts";
import { NOW, runIn } from "../documents.ts";
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

test("writes that are answered without their etags are looked for in the store: no driver goes on without one", async () => {
  const world = await startOddWorld("no-etags");
  try {
    const { tenant, id, partition } = await world.thread(0);
    const run = { ...runIn("queued"), pk: threadKey(tenant, id) };
    const result = await partition.batch([{ create: run }]);
    const stored = await partition.read(run.id);
    expect(result).toEqual({ ok: true, etags: [stored?._etag] });
    expect(stored?._etag).toMatch(/./);
  } finally {
    await world.stop();
  }
});
