/**
 * From the start of a process to its first answer, with HTTP functions only, on servers that are up already; and how
 * much longer the first run of a process takes than later ones.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { firstRuns } from "../cold-start/first-runs.ts";
import { environment, timeToFirstAnswer } from "../cold-start/host-start.ts";
import { loadedModules } from "../cold-start/modules.ts";
import type { Bench, Measurement, Outcome } from "../lib/measurement.ts";
import { median, summary } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { EMPTY_APP } from "../throughput/empty-app.ts";

const PROJECT = path.resolve(import.meta.dirname, "..", "..");
const HEALTH = "/healthz";

/** Its key is checked, its assistants are asked of the store. */
const LIST = "/v1/assistants?limit=1";

export const coldStart: Measurement = {
  name: "cold-start",
  title: "Cold start",
  worksRemotely: false,
  async measure(bench) {
    const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-cold-start-"));
    try {
      const appDir = bench.appDir ?? (await bundledInto(folder));
      const outcome = await bench.onApp({}, (subject) => measure(bench, subject, appDir));
      return { ...outcome, tables: [...outcome.tables, await firstRuns(bench, appDir)] };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

/** What is deployed. */
async function bundledInto(folder: string): Promise<string> {
  await promisify(execFile)(process.execPath, ["infra/bundle.ts", "--out", folder], { cwd: PROJECT });
  return folder;
}

async function measure(bench: Bench, subject: Subject, appDir: string): Promise<Outcome> {
  const env = environment(subject.local);
  const starts = [
    { name: "an app that does nothing, same host", appDir: EMPTY_APP, path: HEALTH, times: [] as number[] },
    { name: `GET ${HEALTH}`, appDir, path: HEALTH, times: [] as number[] },
    { name: `GET ${LIST}`, appDir, path: LIST, times: [] as number[] },
  ];
  // In turns, and once before it counts: then all files are in the page cache for all of them.
  for (let round = -1; round < (bench.quick ? 2 : 15); round++) {
    for (const { appDir, path, times } of starts) {
      const time = await timeToFirstAnswer(appDir, env, path);
      if (round >= 0) times.push(time);
    }
  }
  const rows = starts.map(({ name, times }) => {
    const { count, p50, p90, max } = summary(times);
    return [name, count, p50, p90, max];
  });
  const columns = ["ms from start of the process to the answer", "starts", "p50", "p90", "max"];
  const list = starts.at(-1)?.times ?? [];
  return {
    tables: [{ title: "Cold start", columns, rows }, await loadedModules(appDir, env, LIST)],
    goals: [{ text: `cold start to GET ${LIST}`, measured: median(list), unit: "ms", bound: 400, kind: "at most" }],
    figures: [],
    notes: [
      `The app: ${bench.appDir ?? "the bundle that is deployed (`npm run bundle`)"}. Azure adds the start of its own host, which cannot be measured here.`,
    ],
  };
}
