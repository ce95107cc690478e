/**
 * The safety net. Every active run and every mark of a deleted thread has a due time; what is overdue gets another
 * wake-up. The sweep only sends: so its time does not depend on what there is to do.
 */

import { SweepMemory } from "../jobs/sweep-memory.ts";
import type { WakeUpToSend } from "../jobs/wake-ups.ts";
import { seqOf } from "../store/documents.ts";
import type { OverdueRun } from "../store/store.ts";
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

/**
 * Sends wake-ups for up to `limit` overdue runs and as many purges. They are looked for separately: neither keeps the
 * other waiting, and if one cannot be read, the other is sent all the same. Then it throws.
 */
export async function sweep(engine: Engine, limit: number, memory = new SweepMemory()): Promise<void> {
  const now = engine.now();
  const results = await Promise.allSettled([sweepRuns(engine, now, limit, memory), sweepMarks(engine, now, limit)]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function sweepRuns(engine: Engine, now: number, limit: number, memory: SweepMemory): Promise<void> {
  const overdue = await engine.store.overdueRuns(now - GRACE, limit, memory.from);
  const unwoken = memory.found(overdue, limit, now);
  // Drivers met the same trouble: the workers must give them the time to renew their leases (claim.ts).
  const trouble = engine.store.health.troubledWithin(TROUBLE_MEMORY) ? { tries: 1 } : {};
  const wakeUps = unwoken.flatMap((doc) => wakeUpOf(doc, trouble));
  if (await send(engine, now, wakeUps)) memory.woke(unwoken, now);
  report(engine, now, "runs", overdue, wakeUps.length);
}

function wakeUpOf(doc: OverdueRun, trouble: { tries?: number }): WakeUpToSend[] {
  const { kind, tenant, id, due } = doc;
  if (kind === "run") return [{ job: { tenant, thread: doc.thread, run: id, ...trouble }, id }];
  // A newer build may have documents of other kinds that are due.
  return kind === "deleted_thread" ? [purgeWakeUp(tenant, id, due)] : [];
}

async function sweepMarks(engine: Engine, now: number, limit: number): Promise<void> {
  const marks = await engine.store.overdueMarks(now - GRACE, limit);
  const overdue = marks.map(({ tenant, id, sort }) => ({ tenant, id, due: Number(seqOf(sort)) }));
  const wakeUps = overdue.map(({ tenant, id, due }) => purgeWakeUp(tenant, id, due));
  await send(engine, now, wakeUps);
  report(engine, now, "deleted threads", overdue, wakeUps.length);
}

/** Whether Service Bus has all of them. */
function send(engine: Engine, now: number, wakeUps: WakeUpToSend[]): Promise<boolean> {
  const moment = Math.floor(now / MOMENT);
  return engine.wakeUps.sendAll(wakeUps.map(({ job, id }) => ({ job, id: `${id}/sweep/${moment}` })));
}

function report(engine: Engine, now: number, what: string, overdue: { due: number }[], woken: number): void {
  if (overdue.length === 0) return;
  const longest = Math.max(...overdue.map(({ due }) => now - due));
  const details = { number: overdue.length, woken, longestWaitSeconds: Math.round(longest / 1000) };
  engine.log.info(`sweep woke overdue ${what}`, details);
}
