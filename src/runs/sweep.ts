/** The safety net: every active run has a due time, and whoever is overdue gets another wake-up. */
import { purgeThread } from "../store/threads.ts";
import type { Engine } from "./engine.ts";

/**
 * A run is woken by the sweep once in this time at the most, however long the queue is: wake-ups of the same moment have
 * the same id, and Service Bus drops duplicates. Not longer than the queue's duplicate detection window. Milliseconds.
 */
const MOMENT = 60_000;

/** A wake-up that is for this very moment is most probably on its way. Milliseconds. */
const GRACE = 2_000;

/** What a sweep clears away of one deleted thread. Documents. */
const PURGE_LIMIT = 20_000;

/** Sends wake-ups for overdue runs and finishes deletions that were cut off, `limit` of both together at the most. */
export async function sweep(engine: Engine, limit: number): Promise<void> {
  const now = engine.now();
  const overdue = await engine.store.overdue(now - GRACE, limit);
  const runs = overdue.filter((doc) => doc.kind === "run");
  const threads = overdue.filter((doc) => doc.kind === "deleted_thread");
  if (runs.length > 0) {
    const moment = Math.floor(now / MOMENT);
    const wakeUps = runs.map(({ tenant, thread, id: run }) => ({
      job: { tenant, thread, run },
      id: `${run}/sweep/${moment}`,
    }));
    await engine.wakeUps.sendAll(wakeUps);
    const longest = Math.max(...runs.map(({ due }) => now - due));
    engine.log.info("sweep woke overdue runs", { runs: runs.length, longestWaitSeconds: Math.round(longest / 1000) });
  }
  for (const { tenant, id } of threads) await purgeThread(engine.store.thread(tenant, id), id, PURGE_LIMIT);
}
