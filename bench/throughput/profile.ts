/** Reads V8 CPU profiles: which package the time of a process went to. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Table } from "../lib/measurement.ts";

interface Node {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

interface CpuProfile {
  nodes: Node[];
  samples: number[];
  /** microseconds since the sample before */
  timeDeltas: number[];
  /** microseconds, on the clock of `process.hrtime` */
  startTime: number;
}

/** Settings that make a process write its profile into this folder when it ends. */
export const profiling = (folder: string) => ({ NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` });

const PACKAGE = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//g;

function place({ callFrame: { functionName, url } }: Node): string {
  if (functionName === "(idle)") return "idle";
  if (functionName === "(garbage collector)") return "garbage collection";
  if (url.startsWith("node:")) return "Node";
  if (url === "") return "native";
  const packages = [...url.matchAll(PACKAGE)];
  const name = packages.at(-1)?.[1];
  if (name !== undefined) return name;
  if (/\/local\/functions\//.test(url)) return "local functions host";
  if (/\/dist\//.test(url)) return "Threadkeep";
  return "other";
}

interface Time {
  self: number;
  /** with what it makes Node and native functions do */
  caused: number;
}

/** Milliseconds per run in the part of the profile that lies in this period (microseconds). */
export function profileTable(folder: string, [from, to]: [number, number], runs: number, title: string): Table {
  const file = readdirSync(folder).find((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error(`There is no profile in ${folder}.`);
  const profile = JSON.parse(readFileSync(path.join(folder, file), "utf8")) as CpuProfile;
  const { byPlace, byFunction } = times(profile, from, to);
  const ms = (microseconds: number) => microseconds / 1000 / runs;
  const busy = [...byPlace].filter(([name]) => name !== "idle");
  const all = busy.reduce((sum, [, { self }]) => sum + self, 0);
  const rows = busy
    .toSorted(([, a], [, b]) => b.caused - a.caused)
    .filter(([, { caused }]) => caused > all / 200)
    .map(([name, { self, caused }]) => [name, ms(self), ms(caused), `${Math.round((caused / all) * 100)} %`]);
  const functions = [...byFunction]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 12)
    .map(([name, self]) => [`  ${name}`, ms(self), "", `${Math.round((self / all) * 100)} %`]);
  const columns = ["ms per run", "self", "with Node's part", "share"];
  return { title, columns, rows: [...rows, ["in all", ms(all), ms(all), "100 %"], ...functions] };
}

function times({ nodes, samples, timeDeltas, startTime }: CpuProfile, from: number, to: number) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const causes = causeOfEach(nodes, byId);
  const byPlace = new Map<string, Time>();
  const byFunction = new Map<string, number>();
  const timeOf = (name: string) => {
    const time = byPlace.get(name) ?? { self: 0, caused: 0 };
    byPlace.set(name, time);
    return time;
  };
  let clock = startTime;
  for (const [index, id] of samples.entries()) {
    // A sample stands for the time until the next one.
    clock += timeDeltas[index] ?? 0;
    const duration = timeDeltas[index + 1] ?? 0;
    const node = byId.get(id);
    if (node === undefined || clock < from || clock > to) continue;
    timeOf(place(node)).self += duration;
    timeOf(causes.get(id) ?? place(node)).caused += duration;
    const name = functionName(node);
    if (name !== undefined) byFunction.set(name, (byFunction.get(name) ?? 0) + duration);
  }
  return { byPlace, byFunction };
}

/** For each node the nearest package above it that is neither Node nor native. */
function causeOfEach(nodes: Node[], byId: Map<number, Node>): Map<number, string> {
  const causes = new Map<number, string>();
  const visit = (node: Node, above: string | undefined) => {
    const own = place(node);
    const cause = own === "Node" || own === "native" ? (above ?? "Node's event loop") : own;
    causes.set(node.id, cause);
    for (const child of node.children ?? []) {
      const childNode = byId.get(child);
      if (childNode) visit(childNode, cause === "Node's event loop" ? undefined : cause);
    }
  };
  const [root] = nodes;
  if (root) visit(root, undefined);
  return causes;
}

function functionName(node: Node): string | undefined {
  const { functionName, url, lineNumber } = node.callFrame;
  if (functionName === "(idle)" || functionName === "(root)") return undefined;
  const file = url === "" ? "" : ` ${url.split("/").slice(-2).join("/")}:${lineNumber + 1}`;
  return `${functionName || "(anonymous)"}${file}`;
}
