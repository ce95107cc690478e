/**
 * Can the tests fail? Breaks a copy of the project in one way after the other (breaks.ts), and runs on each what must
 * notice: a short campaign, or a test file.
 *
 *   node test/faults/harness/mutations.ts [parts of the breaks' texts]
 *
 * CHECK=1 only looks whether every break still fits the sources. PROMISE=3: the breaks of one promise. RUNS (60), SEEDS
 * (1,2) and QUIET (45 s) of the campaigns. The exit code is 1 if a break does not fit or stays unnoticed, or if a test
 * fails on the unbroken project.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PROJECT } from "../../e2e/build.ts";
import { type Break, type Edit, PROMISES } from "./break.ts";
import { BREAKS } from "./breaks.ts";

const { RUNS = "60", SEEDS = "1,2", QUIET = "45", CHECK, PROMISE } = process.env;
/** Sieges are longer than a lease: so a driver cannot renew its own before they are over. */
const CAMPAIGN_ENV = { RUNS, QUIET, LANES: "30", PEACE: "700", LOST: "0.02", SIEGE: "7", PATIENCE: "4" };

const wanted = process.argv.slice(2);
const chosen = BREAKS.filter(
  ({ what, promise }) =>
    (PROMISE === undefined || String(promise) === PROMISE) &&
    (wanted.length === 0 || wanted.some((part) => what.includes(part))),
);

const copy = copyProject();
try {
  const fitting = chosen.filter(fits);
  if (CHECK === undefined) {
    const tests = new Map(fitting.map((broken) => [nameOf(testOf(broken)), testOf(broken)]));
    const usable = [...tests].filter(([, test]) => passesUnbroken(test)).map(([name]) => name);
    for (const broken of fitting) if (usable.includes(nameOf(testOf(broken)))) tryOut(broken);
  }
} finally {
  rmSync(copy, { recursive: true });
}

/** A test file, or some of the tests in it; undefined is a campaign. */
type Test = { file: string; named: string | undefined } | undefined;

function testOf({ caughtBy, named }: Break): Test {
  return caughtBy === undefined ? undefined : { file: caughtBy, named };
}

function nameOf(test: Test): string {
  if (test === undefined) return "a campaign";
  return test.named === undefined ? test.file : `${test.file}: ${test.named}`;
}

/** A break that no longer fits the code must not pass for one that was tried. */
function fits({ what, edits }: Break): boolean {
  const misfit = edits.find(({ file, from }) => !sourceOf(file)?.includes(from));
  if (misfit === undefined) return true;
  console.log(`DOES NOT FIT: ${what}\n    ${misfit.file} has no ${misfit.from}`);
  process.exitCode = 1;
  return false;
}

function passesUnbroken(test: Test): boolean {
  const complaint = complaintOf(test, [1]);
  if (complaint === undefined) return true;
  console.log(`FAILS UNBROKEN: ${nameOf(test)}\n    ${complaint}`);
  process.exitCode = 1;
  return false;
}

function tryOut(broken: Break): void {
  const { what, promise, edits, elusive } = broken;
  const originals = edits.map(({ file }) => [file, sourceOf(file) ?? ""] as const);
  try {
    for (const each of edits) apply(each);
    const complaint = complaintOf(testOf(broken), SEEDS.split(",").map(Number));
    const about = `${what} (${PROMISES[promise]}; ${nameOf(testOf(broken))})`;
    if (complaint !== undefined) console.log(`caught: ${about}\n    ${complaint}`);
    else console.log(`NOT CAUGHT: ${about}${elusive === undefined ? "" : `: ${elusive}`}`);
    if (complaint === undefined && elusive === undefined) process.exitCode = 1;
  } finally {
    for (const [file, text] of originals.reverse()) writeFileSync(fileOf(file), text);
  }
}

function apply({ file, from, to }: Edit): void {
  writeFileSync(
    fileOf(file),
    readFileSync(fileOf(file), "utf8").replaceAll(from, () => to),
  );
}

/** What the test says of the copy as it is now, undefined if it passes. An app that does not start is noticed, too. */
function complaintOf(test: Test, seeds: number[]): string | undefined {
  // A break may well make a name unused: types are not its business.
  node("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--noCheck");
  // The tests compile the app unless it is newer than its sources.
  utimesSync(path.join(copy, "dist/.tsbuildinfo"), new Date(), new Date());
  if (test !== undefined) {
    const some = test.named === undefined ? [] : ["--testNamePattern", test.named];
    const { status, stdout } = node("node_modules/vitest/vitest.mjs", "run", test.file, ...some, "--no-color");
    if (stdout.includes("No test files found")) return `there is no ${test.file}`;
    // A failing set-up has no test to name.
    return status === 0 ? undefined : firstLine(stdout, /^ *×/m.test(stdout) ? /^ *×/m : /^\w*Error/m);
  }
  for (const seed of seeds) {
    const { status, stdout } = nodeWith({ ...CAMPAIGN_ENV, SEEDS: String(seed) }, "test/faults/harness/main.ts");
    if (status !== 0) return `seed ${seed}: ${firstLine(stdout, /^ {2}\S/m)}`;
  }
  return undefined;
}

function firstLine(output: string, pattern: RegExp): string {
  const at = output.search(pattern);
  return (output.slice(Math.max(at, 0)).trim().split("\n")[0] ?? "").slice(0, 200);
}

function node(...args: string[]): { status: number | null; stdout: string } {
  return nodeWith({}, ...args);
}

function nodeWith(env: Record<string, string>, ...args: string[]): { status: number | null; stdout: string } {
  const options = { cwd: copy, env: { ...process.env, ...env }, encoding: "utf8" as const, maxBuffer: 1e9 };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  return { status, stdout: stdout + stderr };
}

function fileOf(file: string): string {
  return path.join(copy, file);
}

function sourceOf(file: string): string | undefined {
  return existsSync(fileOf(file)) ? readFileSync(fileOf(file), "utf8") : undefined;
}

/** Copied once: the sources may change while this goes on. */
function copyProject(): string {
  const target = mkdtempSync(path.join(tmpdir(), "threadkeep-broken-"));
  const { stdout } = spawnSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: PROJECT, encoding: "utf8" });
  for (const name of stdout.split("\n").filter((line) => line !== "" && !line.startsWith("node_modules"))) {
    cpSync(path.join(PROJECT, name), path.join(target, name));
  }
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(target, "node_modules"));
  return target;
}
