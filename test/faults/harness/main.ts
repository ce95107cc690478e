/**
 * The long form: `npm run test:faults`. One campaign a seed, then one table; the exit code is 1 if anything was lost,
 * stuck, doubled or asked for without a reason in any. It needs a machine that does little else: on a busy one leases end
 * by accident, and a model call that follows from that is unexplained.
 *
 * RUNS (1000), SEEDS (1,2,3), LANES: users at a time (24), PEACE between two blows (900 ms), LOST wake-ups (0.02 of them),
 * SIEGE: how long the store answers 429, 503 and slowly, each (30 s), SKEW: how far clocks are off (500 ms; beyond a quarter
 * of a lease they explain model calls), PATIENCE of users (15 s), QUIET: how long runs may take to end after the last fault
 * (150 s), LIKE_AZURE=1: a store with https, endpoint discovery, three partitions and Session consistency, CODE=1: models run
 * code in eight sessions (LANES of 8 then), LOG: a file for what the processes say, APP_DIR: another build of the app.
 * RESULTS: a folder that keeps the report of each seed; a seed whose report is there, of the same settings, is not run
 * again.
 *
 * `npm run test:faults -- ingest`: vector stores under all faults at once instead. FILES (5000) for each of SEEDS.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildIfStale } from "../../e2e/build.ts";
import { type CampaignOptions, type CampaignReport, runCampaign } from "./campaign.ts";
import { runIngestCampaigns } from "./ingest.ts";
import { summary, table } from "./report.ts";

const {
  RUNS = "1000",
  SEEDS = "1,2,3",
  FILES = "5000",
  LANES = "24",
  PEACE = "900",
  LOST = "0.02",
  SIEGE = "30",
  SKEW = "500",
  PATIENCE = "15",
  QUIET = "150",
  LIKE_AZURE,
  CODE,
  LOG,
  APP_DIR,
  RESULTS,
} = process.env;

const SHOWN_PROBLEMS = 40;

const seeds = SEEDS.split(",").map(Number);
const isSound = process.argv[2] === "ingest" ? await runIngestCampaigns(seeds, Number(FILES)) : await runCampaigns();
if (!isSound) process.exitCode = 1;

async function runCampaigns(): Promise<boolean> {
  buildIfStale();
  const reports: CampaignReport[] = [];
  for (const seed of seeds) reports.push(await reportOf(optionsOf(seed)));
  if (reports.length > 1) console.log(table(reports));
  return reports.every(({ problems }) => problems.length === 0);
}

function optionsOf(seed: number): CampaignOptions {
  return {
    seed,
    runs: Number(RUNS),
    lanes: Number(LANES),
    peace: Number(PEACE),
    lost: Number(LOST),
    siege: Number(SIEGE) * 1000,
    skew: Number(SKEW),
    patience: Number(PATIENCE) * 1000,
    quiet: Number(QUIET) * 1000,
    likeAzure: LIKE_AZURE === "1",
    code: CODE === "1",
    appDir: APP_DIR,
    log: LOG,
  };
}

async function reportOf(options: CampaignOptions): Promise<CampaignReport> {
  const kept = readKept(options);
  const report = kept ?? (await runCampaign(options));
  if (kept === undefined) keep(options, report);
  console.log(summary(report));
  for (const problem of report.problems.slice(0, SHOWN_PROBLEMS)) console.log(`  ${problem}`);
  return report;
}

interface Kept {
  options: CampaignOptions;
  report: CampaignReport;
}

function fileOf({ seed }: CampaignOptions, folder: string): string {
  return path.join(folder, `seed-${seed}.json`);
}

function readKept(options: CampaignOptions): CampaignReport | undefined {
  if (RESULTS === undefined || !existsSync(fileOf(options, RESULTS))) return undefined;
  const kept = JSON.parse(readFileSync(fileOf(options, RESULTS), "utf8")) as Kept;
  return JSON.stringify(kept.options) === JSON.stringify(options) ? kept.report : undefined;
}

function keep(options: CampaignOptions, report: CampaignReport): void {
  if (RESULTS === undefined) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(fileOf(options, RESULTS), JSON.stringify({ options, report } satisfies Kept, undefined, 2));
}
