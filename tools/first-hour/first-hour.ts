/** All checks of one place, and the clean-up after them. */
import type { Check } from "./check.ts";
import type { Place } from "./place.ts";
import type { Summary } from "./report.ts";
import { describe, type RunOptions, runChecks } from "./run-checks.ts";

/** Cleans up also after a stop, or if something throws. */
export async function firstHour(checks: Check[], place: Place, options: RunOptions): Promise<Summary> {
  const started = performance.now();
  let left: string[] = [];
  const rows = await runChecks(checks, place, options).finally(async () => {
    left = (await place.close()).map(describe);
  });
  return { rows, left, units: place.units, runs: place.app.runs, seconds: (performance.now() - started) / 1000 };
}
