/**
 * The long form: `npm run test:faults`. One campaign a seed; the exit code is 1 if anything was lost or stuck in any.
 * RUNS (1000), SEEDS (1,2,3), LANES: users at a time (24), PEACE between two blows (900 ms), LOST wake-ups (0.02 of them),
 * SIEGE: how long the store answers 429, 503 and slowly, each (30 s), SKEW: how far clocks are off (500 ms; beyond half a
 * lease, they explain model calls),
 * PATIENCE of users (15 s), QUIET: how long runs may take to end after the last fault (150 s), LOG: a file for what the
 * processes say, APP_DIR: another build of the app.
 */
import { buildIfStale } from "../../e2e/build.ts";
import { runCampaign } from "./campaign.ts";
import { summary } from "./report.ts";

const {
  RUNS = "1000",
  SEEDS = "1,2,3",
  LANES = "24",
  PEACE = "900",
  LOST = "0.02",
  SIEGE = "30",
  SKEW = "500",
  PATIENCE = "15",
  QUIET = "150",
  LOG,
  APP_DIR,
} = process.env;

const SHOWN_PROBLEMS = 40;

buildIfStale();
for (const seed of SEEDS.split(",").map(Number)) {
  const report = await runCampaign({
    seed,
    runs: Number(RUNS),
    lanes: Number(LANES),
    peace: Number(PEACE),
    lost: Number(LOST),
    siege: Number(SIEGE) * 1000,
    skew: Number(SKEW),
    patience: Number(PATIENCE) * 1000,
    quiet: Number(QUIET) * 1000,
    appDir: APP_DIR,
    log: LOG,
  });
  console.log(summary(report));
  for (const problem of report.problems.slice(0, SHOWN_PROBLEMS)) console.log(`  ${problem}`);
  if (report.problems.length > 0) process.exitCode = 1;
}
