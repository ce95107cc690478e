/** What failed inside a drive is tried again by the same driver, while that is its way: a client listens to it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ModelTrouble } from "../model/trouble.ts";
import { StoreTrouble } from "../store/trouble.ts";
import type { Engine } from "./engine.ts";
import { retried } from "./lifecycle.ts";
import type { Outcome } from "./outcome.ts";
import type { OwnedRun } from "./owned-run.ts";
import { logOf, retryDelay } from "./settle.ts";

/** How long a run waits whose context could not be read. Milliseconds. */
export const STORE_PAUSE = 5_000;

/**
 * Resolves when it is time to try again, with the attempt counted; or with the outcome of the drive, if this driver is
 * not to try again. `mayRetry`: whether nothing has been told that another try would tell again.
 */
export async function beforeRetry(
  engine: Engine,
  owned: OwnedRun,
  trouble: ModelTrouble,
  signal: AbortSignal,
  mayRetry = true,
): Promise<Outcome | undefined> {
  const inPlace = engine.retriesInPlace && mayRetry;
  const delay = inPlace ? retryDelay(engine, owned.run, trouble) : undefined;
  if (delay === undefined) return { kind: "trouble", trouble };
  const due = engine.now() + delay;
  await sleep(delay, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) return { kind: "repeat-later", delay: Math.max(0, due - engine.now()) };
  return countAttempt(engine, owned);
}

/** Counts an attempt before the model is asked: a driver that dies then has used it up. Answers with why not to ask. */
async function countAttempt(engine: Engine, owned: OwnedRun): Promise<Outcome | undefined> {
  try {
    const result = await owned.write(retried);
    if (result === "written") return undefined;
    return result === "lost" ? { kind: "lost" } : { kind: "ending", ending: { status: "cancelled" } };
  } catch (error) {
    if (!(error instanceof StoreTrouble)) throw error;
    logOf(engine, owned.run).warn("an attempt could not be counted", { error });
    return { kind: "repeat-later", delay: STORE_PAUSE };
  }
}
