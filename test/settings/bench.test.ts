/** The benchmark itself: it runs, keeps its results, and its counts (unlike its times) are the same everywhere. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filledIn } from "../../bench/docs/page.ts";
import type { Cell } from "../../bench/lib/measurement.ts";
import { type Results, readResults } from "../../bench/lib/results.ts";
import { readOptions } from "../../bench/options.ts";
import { buildIfStale, PROJECT } from "../e2e/build.ts";

let folder: string;
let results: Results;
let printed: string;

const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["bench/main.ts", ...args], { cwd: PROJECT });

beforeAll(async () => {
  buildIfStale();
  folder = await mkdtemp(path.join(tmpdir(), "threadkeep-bench-"));
  const outputs = await Promise.all(
    ["ttft", "cost", "capacity", "code-runs"].map(async (name) => {
      const json = path.join(folder, `${name}.json`);
      const { stdout } = await bench("--quick", "--only", name, "--json", json);
      return { stdout, results: readResults(json) };
    }),
  );
  printed = outputs.map(({ stdout }) => stdout).join("\n");
  results = Object.assign({}, ...outputs.map((output) => output.results));
}, 180_000);

afterAll(() => rm(folder, { recursive: true }));

/** The rows of a table by their names. */
function rowsOf(measurement: string, title: string): Map<Cell | undefined, Cell[]> {
  const table = results[measurement]?.tables.find((each) => each.title === title);
  return new Map(table?.rows.map(([name, ...cells]) => [name, cells]));
}

test("what each kind of run needs is counted for that kind, and priced for both kinds of account", () => {
  const needs = rowsOf("cost", "What a run needs");
  const [requests, inTurn, strong, session, expiring, messages] = needs.get("simple background run") ?? [];
  expect({ requests, inTurn, expiring, messages }).toEqual({ requests: 5, inTurn: 5, expiring: 0, messages: 1 });
  expect(strong).toBeLessThanOrEqual(65);
  // The assistant is read at the account's consistency: 1 RU, and twice that on a Strong account.
  expect(Number(strong) - Number(session)).toBeCloseTo(1, 1);
  const [requestsWithTool, , , , expiringWithTool, messagesWithTool] = needs.get("run with a tool call") ?? [];
  expect({ requestsWithTool, messagesWithTool }).toEqual({ requestsWithTool: 12, messagesWithTool: 3 });
  expect(expiringWithTool).toBeGreaterThan(10);
  // Once a second, and the machine may be slow: then it lasts longer.
  const [, streamedInTurn] = needs.get("streamed run, 100 tokens in 2 s") ?? [];
  expect(streamedInTurn).toBeGreaterThan(3);
});

test("a month in which nothing happens has its price", () => {
  const idle = rowsOf("cost", "A month in which nothing happens");
  expect(idle.get("Service Bus Standard, base charge")).toEqual(["13 million operations", 10]);
  expect(idle.get("sweep, every 15 s: executions")?.[0]).toBe(175_200);
  expect(idle.get("in all")?.[1]).toBeGreaterThan(15);
});

test("an account at its limit delays runs and fails none", () => {
  const beyond = rowsOf("capacity", "Beyond its limit");
  for (const load of ["background", "streamed"]) {
    const [, , throttled, delayed, , failed] = beyond.get(`manual, 100 RU/s: ${load}`) ?? [];
    expect(throttled).toBeGreaterThan(0);
    expect(delayed).toBeGreaterThan(0);
    expect(failed).toBe(0);
  }
});

test("the time to the first token is compared with the model's own", () => {
  const times = rowsOf("ttft", "Time to the first token");
  const [, ours] = times.get("Threadkeep, model delay 300 ms") ?? [];
  const [, models] = times.get("direct, model delay 300 ms") ?? [];
  expect(models).toBeGreaterThanOrEqual(300);
  expect(ours).toBeGreaterThan(Number(models));
});

test("a run with code is timed from the model's last token, through its cancel, and against the model's own pace", () => {
  const times = rowsOf("code-runs", "Code in runs");
  const p50 = (name: string) => Number(times.get(name)?.[1]);
  for (const turn of ["first turn of a run", "second turn"]) {
    expect(p50(`${turn}: end of the model's answer to completed step`)).toBeGreaterThan(0);
    expect(p50(`${turn}: last piece of code to completed step`)).toBeGreaterThan(0);
  }
  expect(p50("cancel to the end of the session's process")).toBeGreaterThan(0);
  // A hundred pieces, one in 20 ms: the model's server writes them by the clock.
  for (const way of ["model asked directly", "through Threadkeep"]) {
    expect(p50(`first to last piece of code, ${way}`)).toBeGreaterThan(1_000);
  }
});

test("tables and goals are printed, and can be put into the documentation", async () => {
  expect(printed).toContain("simple background run: Cosmos DB");
  const page = await readFile(path.join(PROJECT, "docs", "performance.md"), "utf8");
  const filled = filledIn(page, results);
  expect(filled).toContain("**Measured with --quick: not for quoting.**");
  expect(filled).toContain("| simple background run | 5 | 5 |");
  expect(filled).not.toMatch(/undefined|NaN/);
  expect(filledIn(page, {})).toBe(page);
});

test("an option or a measurement that does not exist is refused", async () => {
  expect(() => readOptions(["--fast"])).toThrow("--fast");
  await expect(bench("--only", "speed")).rejects.toMatchObject({ code: 2 });
});
