/**
 * Can the harness fail? Breaks a copy of the built app in one way after the other, and runs a short campaign on each:
 * `node test/faults/harness/mutations.ts [parts of breaks' texts]`. The exit code is 1 if a break stays unnoticed, or if
 * the unbroken app has problems.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buildIfStale, PROJECT } from "../../e2e/build.ts";
import { BREAKS, type Break } from "./breaks.ts";
import { type CampaignReport, runCampaign } from "./campaign.ts";

const { RUNS = "60", SEEDS = "1,2", QUIET = "45" } = process.env;
const wanted = process.argv.slice(2);

buildIfStale();
// Copied once: the sources may change while this goes on.
const pristine = copyApp(PROJECT);
try {
  if (wanted.length === 0) {
    const { problems } = await campaignOn(pristine, 1);
    console.log(`unbroken: ${problems.length} problems ${problems.slice(0, 3).join(" / ")}`);
    if (problems.length > 0) process.exitCode = 1;
  }
  for (const broken of BREAKS) {
    if (wanted.length === 0 || wanted.some((part) => broken.what.includes(part))) await tryOut(broken);
  }
} finally {
  rmSync(pristine, { recursive: true });
}

async function tryOut(broken: Break): Promise<void> {
  const app = copyApp(pristine);
  try {
    apply(broken, app);
    for (const seed of SEEDS.split(",").map(Number)) {
      const problems = await problemsOf(app, seed);
      if (problems.length === 0) continue;
      console.log(
        `caught (seed ${seed}, ${problems.length} problems): ${broken.what}\n    ${problems[0]?.slice(0, 160)}`,
      );
      return;
    }
    console.log(`NOT CAUGHT: ${broken.what}${broken.elusive === undefined ? "" : ` (${broken.elusive})`}`);
    if (broken.elusive === undefined) process.exitCode = 1;
  } finally {
    rmSync(app, { recursive: true });
  }
}

/** An app that does not even start, or a client that cannot go on, is noticed, too. */
async function problemsOf(app: string, seed: number): Promise<string[]> {
  try {
    return (await campaignOn(app, seed)).problems;
  } catch (error) {
    return [String(error)];
  }
}

function campaignOn(appDir: string, seed: number): Promise<CampaignReport> {
  const faults = { peace: 700, lost: 0.02, siege: 3_000, skew: 500 };
  const quiet = Number(QUIET) * 1000;
  return runCampaign({ seed, runs: Number(RUNS), lanes: 30, ...faults, patience: 4_000, quiet, appDir });
}

function copyApp(original: string): string {
  const app = mkdtempSync(path.join(tmpdir(), "threadkeep-broken-"));
  for (const name of ["dist", "package.json", "host.json"]) {
    cpSync(path.join(original, name), path.join(app, name), { recursive: true });
  }
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(app, "node_modules"));
  return app;
}

/** A break that no longer fits the code must not pass for one that was tried. */
function apply({ what, file, from, to }: Break, app: string): void {
  const name = path.join(app, "dist/src", file);
  const pieces = readFileSync(name, "utf8").split(from);
  if (pieces.length < 2) throw new Error(`"${what}" finds nothing to break in ${file}: ${from}`);
  writeFileSync(name, pieces.join(to));
}
