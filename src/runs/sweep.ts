/** The safety net: every active run has a due time, and whoever is overdue gets another wake-up. */
import type { Engine } from "./engine.ts";

/**
 * A run is woken by the sweep once in this time at the most, however long the queue is: wake-ups of the same moment have
 * the same id, and Service Bus drops duplicates. Not longer than the queue's duplicate detection window. Milliseconds.
 */
const MOMENT = 60_000;

/** Sends wake-ups for overdue runs, `limit` of them at the most; answers with their number. */
export async function sweep(engine: Engine, limit: number): Promise<number> {
  const now = engine.now();
  const overdue = await engine.store.overdueRuns(now, limit);
  if (overdue.length === 0) return 0;
  const moment = Math.floor(now / MOMENT);
  await engine.wakeUps.sendAll(overdue.map((job) => ({ job, id: `${job.run}/sweep/${moment}` })));
  engine.log.info("sweep woke overdue runs", { runs: overdue.length });
  return overdue.length;
}
