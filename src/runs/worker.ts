/** What the queue brings: wake-ups, and those that failed so often that Service Bus has put them aside. */
import { setTimeout as sleep } from "node:timers/promises";
import { lookAtFile } from "../files/delete.ts";
import { leaveForNewerBuild } from "../jobs/newer-kinds.ts";
import { type FileWakeUp, fileOf, isForNewerBuild, purgeOf, type WakeUp, wakeUp } from "../jobs/wake-ups.ts";
import { isTerminal, SERVER_ERROR } from "../resources/run.ts";
import { isNewer, type RunDoc } from "../store/documents.ts";
import { StoreTrouble } from "../store/trouble.ts";
import { detachEverywhere } from "../stores/uses.ts";
import { purge } from "../threads/purge.ts";
import { advance } from "./advance.ts";
import { endUndriven } from "./end-undriven.ts";
import type { Engine } from "./engine.ts";
import { isUnowned } from "./lifecycle.ts";
import { logOf } from "./settle.ts";

/** How long a wake-up waits that met trouble: doubled each time, up to the longest. Milliseconds. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 60_000;

/** How often a wake-up may fail that met no trouble of the store: after that Service Bus puts it aside. */
const MOST_TRIES = 6;

/**
 * Handles a wake-up. One that fails comes back later, each time later than the time before, without using up its
 * deliveries; only if it cannot be sent again does this throw, and Service Bus delivers it again.
 */
export async function handleWakeUp(engine: Engine, message: unknown): Promise<void> {
  if (isForNewerBuild(message)) return leaveForNewerBuild(engine, message);
  const deletedThread = purgeOf(message);
  if (deletedThread !== undefined) return purge(engine, deletedThread);
  const file = fileOf(message);
  if (file !== undefined) return handleFile(engine, file);
  const job = wakeUp.parse(message);
  try {
    await advance(engine, job);
  } catch (error) {
    if (engine.drives.stopped) throw error;
    const log = engine.log.with({ run: job.run, thread: job.thread, tenant: job.tenant });
    if (error instanceof StoreTrouble) log.warn("the store is in trouble; the run is looked at later", { error });
    else log.error("a wake-up failed; the run is looked at later", { error });
    const hopeless = !(error instanceof StoreTrouble) && (job.tries ?? 0) >= MOST_TRIES;
    if (hopeless || !(await sendLater(engine, job))) throw error;
  }
}

/** Never throws: what fails is left to the sweep. */
async function handleFile(engine: Engine, wakeUp: FileWakeUp): Promise<void> {
  try {
    await lookAtFile(engine, wakeUp, detachEverywhere);
  } catch (error) {
    const { tenant, file } = wakeUp;
    engine.log.warn("a file could not be looked after; the sweep will send it again", { tenant, file, error });
  }
}

function sendLater(engine: Engine, job: WakeUp): Promise<boolean> {
  const tries = (job.tries ?? 0) + 1;
  const at = engine.now() + Math.min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE);
  return engine.wakeUps.send({ ...job, tries }, `${job.run}/again/${at}`, at);
}

/** Ends the run of a wake-up that failed at every delivery: something is wrong with it that no repetition mends. */
export async function buryWakeUp(engine: Engine, message: unknown): Promise<void> {
  // Not a run's. The sweep wakes what is overdue, and a newer build buries its own kinds.
  if (isForNewerBuild(message) || (purgeOf(message) ?? fileOf(message)) !== undefined) return;
  const job = wakeUp.safeParse(message);
  if (!job.success) {
    engine.log.error("a message in the dead-letter queue is no wake-up; it is dropped");
    return;
  }
  const { run, thread, tenant } = job.data;
  try {
    await failRun(engine, job.data);
  } catch (error) {
    if (!(error instanceof StoreTrouble)) {
      engine.log.error("a run could not be failed; it stays until it expires", { run, thread, tenant, error });
      return;
    }
    // The dead-letter queue delivers its messages again at once, without end: this pause is what slows it down.
    await sleep(FIRST_PAUSE);
    throw error;
  }
}

async function failRun(engine: Engine, { tenant, thread, run: runId }: WakeUp): Promise<void> {
  const partition = engine.store.thread(tenant, thread);
  const run = await partition.read<RunDoc>(runId);
  if (run === undefined || isTerminal(run.status) || isNewer(run)) return;
  if (!isUnowned(run, engine.now())) return;
  logOf(engine, run).error("a run's wake-up failed at every delivery: the run is failed", { status: run.status });
  // A run that was being cancelled has what its client wanted.
  const cancelled = run.status === "cancelling";
  const ending = cancelled ? { status: "cancelled" as const } : { status: "failed" as const, error: SERVER_ERROR };
  await endUndriven(engine, partition, run, ending);
}
