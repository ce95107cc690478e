/** The safety net of vector stores: what is overdue in them gets another wake-up. */
import { wakeBatch, wakeFiles, wakeStore } from "../jobs/ingest-jobs.ts";
import type { SweepMemory } from "../jobs/sweep-memory.ts";
import type { WakeUpToSend } from "../jobs/wake-ups.ts";
import type { Log } from "../log.ts";
import type { OverdueInStore } from "../store/store.ts";
import type { StoreTools } from "../stores/tools.ts";

/**
 * The sweep sends one wake-up in this time for each file: wake-ups of the same moment have the same id. Milliseconds.
 */
const MOMENT = 60_000;

/** A wake-up that is for this very moment is most probably on its way. Milliseconds. */
const GRACE = 2_000;

/** Sends wake-ups for up to `limit` overdue documents. Throws trouble with the store. */
export async function sweepStores(
  { store, wakeUps, log, now }: StoreTools & { log: Log },
  limit: number,
  memory: SweepMemory,
): Promise<void> {
  const time = now();
  const overdue = await store.overdueInStores(time - GRACE, limit, memory.from);
  const unwoken = memory.found(overdue, limit, time);
  const moment = `sweep/${Math.floor(time / MOMENT)}`;
  const jobs = [...Map.groupBy(unwoken, ({ pk }) => pk).values()].flatMap((docs) => wakeUpsOf(docs, moment));
  if (await wakeUps.sendToIngest(jobs)) memory.woke(unwoken, time);
  if (overdue.length > 0) log.info("sweep woke overdue vector stores", { number: overdue.length, woken: jobs.length });
}

/** For documents of one store. */
function wakeUpsOf(docs: OverdueInStore[], moment: string): WakeUpToSend[] {
  const [first] = docs;
  if (first === undefined) return [];
  const { tenant, pk } = first;
  const storeId = pk.slice(tenant.length + 1);
  const of = (...kinds: string[]) => docs.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id);
  return [
    ...wakeFiles(tenant, storeId, of("vector_store_file", "detached_file"), moment),
    ...of("file_batch").map((batch) => wakeBatch(tenant, storeId, batch, moment)),
    ...of("deleted_vector_store", "vector_store").map(() => wakeStore(tenant, storeId, moment)),
  ];
}
