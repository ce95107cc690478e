/** What the queue brings: wake-ups, and those that failed so often that Service Bus has put them aside. */
import { setTimeout as sleep } from "node:timers/promises";
import { leaveForNewerBuild } from "../jobs/newer-kinds.ts";
import { namesKind, purgeOf, type WakeUp, wakeUp } from "../jobs/wake-ups.ts";
import { isTerminal } from "../resources/run.ts";
import type { RunDoc } from "../store/documents.ts";
import { isLost, StoreBusy } from "../store/trouble.ts";
import { purge } from "../threads/purge.ts";
import { wake } from "./advance.ts";
import { endUndriven } from "./ending.ts";
import type { Engine } from "./engine.ts";
import { isUnowned } from "./lifecycle.ts";

/** How long a wake-up waits while the store is in trouble. Milliseconds. */
const STORE_PAUSE = 5_000;

/**
 * Handles a wake-up. One that meets a store in trouble comes back later, without using up its deliveries; one that fails
 * for another reason throws, and Service Bus brings it again, a few times.
 */
export async function handleWakeUp(engine: Engine, message: unknown): Promise<void> {
  const deletedThread = purgeOf(message);
  if (deletedThread !== undefined) return purge(engine, deletedThread);
  if (namesKind(message)) return leaveForNewerBuild(engine, message);
  const job = wakeUp.parse(message);
  try {
    await wake(engine, job);
  } catch (error) {
    if (!isStoreTrouble(error)) throw error;
    engine.log.warn("the store is in trouble; the run is looked at later", { run: job.run, error });
    const at = engine.now() + STORE_PAUSE;
    if (!(await engine.wakeUps.send(job, `${job.run}/store/${at}`, at))) throw error;
  }
}

const isStoreTrouble = (error: unknown) => isLost(error) || error instanceof StoreBusy;

/** Ends the run of a wake-up that failed every time: something is wrong with it that no repetition mends. */
export async function buryWakeUp(engine: Engine, message: unknown): Promise<void> {
  // Not a run's. The sweep wakes what is overdue, and a newer build buries its own kinds.
  if (namesKind(message)) return;
  const job = wakeUp.safeParse(message);
  if (!job.success) {
    engine.log.error("a message in the dead-letter queue is no wake-up; it is dropped");
    return;
  }
  try {
    await failRun(engine, job.data);
  } catch (error) {
    if (!isStoreTrouble(error)) {
      engine.log.error("a run cannot even be failed; it stays until it expires", { run: job.data.run, error });
      return;
    }
    // Nothing slows the dead-letter queue down but this: its messages come back at once, for ever.
    await sleep(STORE_PAUSE);
    throw error;
  }
}

async function failRun(engine: Engine, { tenant, thread, run: runId }: WakeUp): Promise<void> {
  const partition = engine.store.thread(tenant, thread);
  const run = await partition.read<RunDoc>(runId);
  if (run === undefined || isTerminal(run.status)) return;
  if (!isUnowned(run, engine.now())) return;
  engine.log.error("a run's wake-up failed every time: the run is failed", { run: runId, status: run.status });
  await endUndriven(engine, partition, run, endingOf(run));
}

/** A run that was being cancelled has what its client wanted. */
function endingOf(run: RunDoc) {
  if (run.status === "cancelling") return { status: "cancelled" as const };
  const error = { code: "server_error", message: "Sorry, something went wrong." };
  return { status: "failed" as const, error };
}
