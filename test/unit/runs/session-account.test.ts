/** An account with Session consistency, whose replicas are behind, and two instances: one drives a run, one changes it. */
import { ConsistencyLevel } from "@azure/cosmos";
import { afterEach, expect, test } from "vitest";
import { App } from "../../../src/app.ts";
import { noSink } from "../../../src/runs/events.ts";
import { OwnedRun } from "../../../src/runs/owned-run.ts";
import { type RunDoc, threadKey } from "../../../src/store/documents.ts";
import { NO_PATIENCE, StoreTrouble } from "../../../src/store/trouble.ts";
import { runIn } from "../documents.ts";
import { silentLog } from "../silent-log.ts";
import { type OddGateway, startOddGateway } from "../store/odd-gateway.ts";
import { startWorld } from "../threads/world.ts";
import { until } from "./engine-world.ts";
import { read } from "./stored-thread.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/**
 * A run that one instance drives and the other one has just cancelled. `lagMs`: how long the replica that serves weak reads
 * does not know of the cancel. `isSilent`: whether refusals keep to themselves how far the store has come.
 */
async function cancelledElsewhere(lagMs: number, isSilent: boolean) {
  let gateway: OddGateway | undefined;
  const world = await startWorld(async (cosmos) => {
    cosmos.change({ consistency: ConsistencyLevel.Session, lagMs: 1 });
    gateway = isSilent ? await startOddGateway(cosmos.endpoint, "silent-refusals") : undefined;
    return gateway?.endpoint ?? cosmos.endpoint;
  });
  stops.push(() => gateway?.stop());
  stops.push(world.stop);
  const { tenant, id, partition } = await world.thread(1);
  const { internal, ...run } = runIn("in_progress");
  const stored: RunDoc = { ...run, pk: threadKey(tenant, id), thread_id: id, internal: { ...internal, open: [] } };
  await partition.create(stored);
  const owned = new OwnedRun(partition, await read<RunDoc>(partition, run.id), noSink, 0);

  const { config } = world.app;
  const other = new App({ ...config, cosmos: { ...config.cosmos, endpoint: world.cosmos.endpoint } }, silentLog);
  stops.push(() => other.close());
  await other.prepare();
  const there = other.store.thread(tenant, id);
  // This one has no session yet: what it sees, the replica has.
  await until(async () => (await there.read(run.id)) !== undefined);
  world.cosmos.change({ lagMs });
  await there.batch([{ put: { ...stored, status: "cancelling" } }]);
  return { owned, silent: () => gateway?.madeUp() };
}

const same = (run: RunDoc) => run;

test("a refusal tells its session how new a read must be: the driver hears of the cancel at once", async () => {
  // A replica that stays behind for as long as this test takes.
  const { owned } = await cancelledElsewhere(60_000, false);
  expect(await owned.write(same)).toBe("cancelling");
});

test("a refusal that does not tell: the driver reads until it sees what it was refused for", async () => {
  const { owned, silent } = await cancelledElsewhere(300, true);
  expect(await owned.write(same)).toBe("cancelling");
  expect(silent()).toBe(1);
});

test("a replica that stays behind is trouble that passes, not a fault of the driver", async () => {
  const { owned } = await cancelledElsewhere(60_000, true);
  await expect(owned.write(same, { patience: NO_PATIENCE })).rejects.toBeInstanceOf(StoreTrouble);
});
