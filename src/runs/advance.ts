/**
 * Moves a run on a wake-up: claims it (or takes it over, or does what else is due), drives it, and writes back how that
 * ended. It is level-triggered: it looks at the run's state and the clock, whatever the wake-up was sent for.
 */
import type { WakeUp } from "../jobs/wake-ups.ts";
import { claimRun } from "./claim.ts";
import { drive } from "./drive.ts";
import type { Engine } from "./engine.ts";
import { noSink, openingEvents } from "./events.ts";
import { OwnedRun } from "./owned-run.ts";

/**
 * Does what is due for this run. Throws `StoreTrouble` if the store fails: then the wake-up is sent again for later.
 */
export async function advance(engine: Engine, job: WakeUp): Promise<void> {
  if (engine.drives.stopped) throw new Error("this instance is being stopped: another one gets the wake-up");
  const run = await claimRun(engine, job);
  if (run === undefined) return;
  const partition = engine.store.thread(job.tenant, job.thread);
  const owned = new OwnedRun(partition, run, noSink, engine.config.runs.eventsTtl);
  if (run.internal.log.events === 0) for (const event of openingEvents(run)) owned.tell(event);
  await drive(engine, owned);
}
