/** The benchmark itself: it runs, keeps its results, and its counts (unlike its times) are the same everywhere. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filledIn } from "../../bench/docs/page.ts";
import type { Cell } from "../../bench/lib/measurement.ts";
import type { Results } from "../../bench/lib/results.ts";
import { buildIfStale, PROJECT } from "../e2e/build.ts";

let folder: string;
let results: Results;
let printed: string;

const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["bench/main.ts", ...args], { cwd: PROJECT });

beforeAll(async () => {
  buildIfStale();
  folder = await mkdtemp(path.join(tmpdir(), "threadkeep-bench-"));
  const json = path.join(folder, "results.json");
  printed = (await bench("--quick", "--only", "ttft,cost", "--json", json)).stdout;
  results = JSON.parse(await readFile(json, "utf8")) as Results;
}, 180_000);

afterAll(() => rm(folder, { recursive: true }));

/** The rows of a table by their names. */
function rowsOf(measurement: string, title: string): Map<Cell | undefined, Cell[]> {
  const table = results[measurement]?.tables.find((each) => each.title === title);
  return new Map(table?.rows.map(([name, ...cells]) => [name, cells]));
}

test("what each kind of run needs is counted for that kind", () => {
  const needs = rowsOf("cost", "What a run needs");
  const [requests, inTurn, units, messages] = needs.get("simple background run") ?? [];
  expect({ requests, inTurn, messages }).toEqual({ requests: 5, inTurn: 5, messages: 1 });
  expect(units).toBeLessThanOrEqual(65);
  const [requestsWithTool, , , messagesWithTool] = needs.get("run with a tool call") ?? [];
  expect({ requestsWithTool, messagesWithTool }).toEqual({ requestsWithTool: 12, messagesWithTool: 3 });
  // Once a second, and the machine may be slow: then it lasts longer.
  const [, streamedInTurn] = needs.get("streamed run, 500 tokens in 10 s") ?? [];
  expect(streamedInTurn).toBeGreaterThan(8);
});

test("the time to the first token is compared with the model's own", () => {
  const times = rowsOf("ttft", "Time to the first token");
  const [, ours] = times.get("Threadkeep, model delay 300 ms") ?? [];
  const [, models] = times.get("direct, model delay 300 ms") ?? [];
  expect(models).toBeGreaterThanOrEqual(300);
  expect(ours).toBeGreaterThan(Number(models));
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
  await expect(bench("--fast")).rejects.toMatchObject({ code: 2 });
  await expect(bench("--only", "speed")).rejects.toMatchObject({ code: 2 });
});
