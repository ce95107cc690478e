/**
 * The safety net. Every active run and every mark of a deleted thread has a due time; what is overdue gets another
 * wake-up. The sweep only sends: so its time does not depend on what there is to do.
 */
import type { WakeUpToSend } from "../jobs/wake-ups.ts";
import { seqOf } from "../store/documents.ts";
import { purgeWakeUp } from "../threads/purge.ts";
import type { Engine } from "./engine.ts";

/**
 * The sweep sends one wake-up in this time for each run or mark, however long the queue is: wake-ups of the same moment
 * have the same id, and Service Bus drops duplicates. Not longer than the queue's duplicate detection window.
 * Milliseconds.
 */
const MOMENT = 60_000;

/** Longer than from one sweep to the next (functions/sweep.ts). Milliseconds. */
export const TROUBLE_MEMORY = 20_000;

/** A wake-up that is for this very moment is most probably on its way. Milliseconds. */
const GRACE = 2_000;

/** `due` in milliseconds since 1970. */
interface Overdue extends WakeUpToSend {
  due: number;
}

/**
 * Sends wake-ups for up to `limit` overdue runs and as many purges. They are looked for separately: neither keeps the
 * other waiting, and if one cannot be read, the other is sent all the same. Then it throws.
 */
export async function sweep(engine: Engine, limit: number): Promise<void> {
  const now = engine.now();
  const results = await Promise.allSettled([
    overdueRuns(engine, now, limit).then((overdue) => send(engine, now, "runs", overdue)),
    overdueMarks(engine, now, limit).then((overdue) => send(engine, now, "deleted threads", overdue)),
  ]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function send(engine: Engine, now: number, what: string, overdue: Overdue[]): Promise<void> {
  if (overdue.length === 0) return;
  const moment = Math.floor(now / MOMENT);
  await engine.wakeUps.sendAll(overdue.map(({ job, id }) => ({ job, id: `${id}/sweep/${moment}` })));
  const longest = Math.max(...overdue.map(({ due }) => now - due));
  const details = { number: overdue.length, longestWaitSeconds: Math.round(longest / 1000) };
  engine.log.info(`sweep woke overdue ${what}`, details);
}

async function overdueRuns(engine: Engine, now: number, limit: number): Promise<Overdue[]> {
  const overdue = await engine.store.overdueRuns(now - GRACE, limit);
  // Drivers met the same trouble: the workers must give them the time to renew their leases (claim.ts).
  const trouble = engine.store.health.troubledWithin(TROUBLE_MEMORY) ? { tries: 1 } : {};
  return overdue.flatMap((doc) => {
    if (doc.kind === "run") {
      const job = { tenant: doc.tenant, thread: doc.thread, run: doc.id, ...trouble };
      return [{ job, id: doc.id, due: doc.due }];
    }
    // A newer build may have documents of other kinds that are due.
    if (doc.kind !== "deleted_thread") return [];
    return [{ ...purgeWakeUp(doc.tenant, doc.id, doc.due), due: doc.due }];
  });
}

async function overdueMarks(engine: Engine, now: number, limit: number): Promise<Overdue[]> {
  const overdue = await engine.store.overdueMarks(now - GRACE, limit);
  return overdue.map(({ tenant, id, sort }) => {
    const due = Number(seqOf(sort));
    return { ...purgeWakeUp(tenant, id, due), due };
  });
}
