/** The shape of the code that docs/architecture.md promises: imports go one way, without circles, and src is the app only. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { circles, importGraph, PROJECT, reachableFrom, relativeImports } from "../lib/imports.ts";

const FOLDERS = ["functions", "src", "local", "tools", "bench", "infra"];
const graph = importGraph(FOLDERS);
const arrows = [...graph].flatMap(([from, targets]) => targets.map((to): [from: string, to: string] => [from, to]));

const HTTP_FACE = "src/api";

/**
 * The floors of the app, from the top. A file may import files of its own place and of all floors below, and none of another
 * place on its own floor.
 */
const FLOORS: string[][] = [
  ["functions"],
  // One place: the composition root (app.ts) builds parts of the HTTP face, whose operations work with the app.
  [HTTP_FACE],
  ["src/runs"],
  ["src/ingest", "src/search", "src/threads"],
  ["src/stores"],
  ["src/files"],
  ["src/store", "src/jobs", "src/model", "src/blobs", "src/code"],
  ["src/identity.ts"],
  ["src/managed-identity.ts"],
  ["src/resources", "src/config.ts", "src/log.ts", "src/tenant-shares.ts"],
  ["src/access-settings.ts", "src/telemetry"],
];

/** The places beside the app. Each may import itself and these; nothing of the app imports any of them. */
const BESIDE: Record<string, string[]> = {
  local: [],
  tools: ["src"],
  // These start local servers, which stand in for a real account.
  "tools/check-store/local.ts": ["src", "local"],
  "tools/first-hour/main.ts": ["src", "local"],
  "tools/first-hour/local.ts": ["src", "local"],
  "tools/retrieval/local.ts": ["src", "local"],
  bench: ["local"],
  infra: [],
};

/** Files that the app starts as threads or processes, by their URL instead of an import. */
const STARTED_BY_URL = [
  "src/ingest/chunk-thread.ts",
  "src/model/tokenizer-thread.ts",
  "src/ingest/read/reading-process.ts",
];

const ofApp = (file: string) => file.startsWith("src/") || file.startsWith("functions/");

/** The place that a file is in, with the number of its floor. */
function placeOf(file: string): { place: string; floor: number } | undefined {
  if (file === "src/app.ts") return placeOf(HTTP_FACE);
  const floor = FLOORS.findIndex((places) => places.some((place) => isIn(file, place)));
  const place = FLOORS[floor]?.find((each) => isIn(file, each));
  return place === undefined ? undefined : { place, floor };
}

const isIn = (file: string, place: string) => file === place || file.startsWith(`${place}/`);

function isForbidden([from, to]: [string, string]): boolean {
  const [top = ""] = from.split("/");
  const [target = ""] = to.split("/");
  if (!ofApp(from)) return target !== top && !(BESIDE[from] ?? BESIDE[top] ?? []).includes(target);
  const [own, other] = [placeOf(from), placeOf(to)];
  if (own === undefined || other === undefined) return true;
  return own.place !== other.place && own.floor >= other.floor;
}

const shown = ([from, to]: [string, string]) => `${from} -> ${to}`;

describe("the reading of imports", () => {
  test("sees static, type, re-exporting, side-effect and dynamic imports over several lines, and no packages", () => {
    const source = `import { a } from "./a.ts";
import type {
  B,
} from "../b.ts";
export { c } from "./c.ts";
import "./d.ts";
const e = () => import("./e.ts");
import path from "node:path";`;
    expect(relativeImports(source)).toEqual(["./a.ts", "../b.ts", "./c.ts", "./d.ts", "./e.ts"]);
  });

  test("finds a file for each import of the project", () => {
    expect(arrows.filter(([, to]) => !graph.has(to)).map(shown)).toEqual([]);
    expect(arrows.length).toBeGreaterThan(graph.size);
  });
});

test("no files import each other in a circle", () => {
  expect(circles(graph)).toEqual([]);
});

test("a circle of three files is found, and what only leads to it is no part of it", () => {
  const three = new Map([
    ["start", ["a"]],
    ["a", ["b", "end"]],
    ["b", ["c"]],
    ["c", ["a"]],
    ["end", []],
  ]);
  expect(circles(three)).toEqual([["a", "b", "c"]]);
});

test("every file of the app has a place", () => {
  expect([...graph.keys()].filter((file) => ofApp(file) && placeOf(file) === undefined)).toEqual([]);
});

test("imports go one way, from the functions down to the resources, and the app imports nothing beside it", () => {
  expect(arrows.filter(isForbidden).map(shown)).toEqual([]);
});

test.each([
  ["src/runs/advance.ts", "src/api/http.ts"],
  ["src/store/partition.ts", "src/jobs/wake-ups.ts"],
  ["src/resources/run.ts", "src/config.ts"],
  ["src/config.ts", "src/log.ts"],
  ["src/api/http.ts", "functions/http.ts"],
  ["src/threads/read.ts", "src/runs/sweep.ts"],
  ["src/model/client.ts", "local/model/server.ts"],
  ["local/stack.ts", "src/config.ts"],
  ["tools/check-store/main.ts", "local/stack.ts"],
  ["tools/first-hour/place.ts", "local/stack.ts"],
])("%s must not import %s", (from, to) => {
  expect(isForbidden([from, to])).toBe(true);
});

test.each([
  ["functions/http.ts", "src/jobs/wake-ups.ts"],
  ["src/api/health.ts", "src/app.ts"],
  ["src/api/http.ts", "src/api/load.ts"],
  ["src/runs/worker.ts", "src/resources/run.ts"],
  ["tools/check-store/main.ts", "src/store/containers.ts"],
  ["tools/first-hour/local.ts", "local/stack.ts"],
  ["bench/lib/subject.ts", "local/stack.ts"],
])("%s may import %s", (from, to) => {
  expect(isForbidden([from, to])).toBe(false);
});

/** What a file loads when it is loaded itself: neither types nor `import()`. */
const loadedBy = (source: string) =>
  Array.from(source.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from\s+"([^"]+)"/gm), ([, name = ""]) => name);

test("a cold start loads no library that only tokens, identities and telemetry need", () => {
  const loaded = new Set<string>();
  const load = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const name of loadedBy(readFileSync(path.join(PROJECT, file), "utf8"))) {
      if (name.startsWith(".")) load(path.join(path.dirname(file), name));
      else loaded.add(name);
    }
  };
  for (const file of graph.keys()) if (file.startsWith("functions/")) load(file);
  expect([...loaded]).toEqual(expect.arrayContaining(["src/api/auth.ts", "src/identity.ts", "@azure/cosmos", "zod"]));
  for (const name of ["jose", "@azure/identity", "@azure/core-rest-pipeline"]) expect([...loaded]).not.toContain(name);
  expect([...loaded].filter((name) => /opentelemetry|telemetry\/(start|recorder)/.test(name))).toEqual([]);
  expect([...loaded]).toContain("src/telemetry/telemetry.ts");
});

test("no line is longer than 120 columns, comments and texts included, which the formatter leaves as they are", () => {
  const long = ["functions", "src", "local", "infra", "tools"].flatMap((folder) =>
    [...importGraph([folder]).keys()].flatMap((file) =>
      readFileSync(path.join(PROJECT, file), "utf8")
        .split("\n")
        .flatMap((line, index) => (Array.from(line).length > 120 ? [`${file}:${index + 1}`] : [])),
    ),
  );
  expect(long).toEqual([]);
});

test("src holds the app only: the functions reach each of its files", () => {
  const roots = [...graph.keys()].filter((file) => file.startsWith("functions/") || STARTED_BY_URL.includes(file));
  const reached = reachableFrom(graph, roots);
  expect([...graph.keys()].filter((file) => file.startsWith("src/") && !reached.has(file))).toEqual([]);
});
