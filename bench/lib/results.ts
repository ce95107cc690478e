/** The file that results are kept in, from which the documentation is made. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import path from "node:path";
import type { Outcome } from "./measurement.ts";

export interface Result extends Outcome {
  name: string;
  title: string;
  /** ISO 8601, and where: figures of different machines do not compare. */
  measuredAt: string;
  machine: string;
  /** what the same piece of work took before the measurement and after it, in milliseconds */
  pace: [before: number, after: number];
  quick: boolean;
}

export type Results = Record<string, Result>;

export function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${first?.model.trim() ?? "CPU"}, ${memory} GB, Linux ${release()}, Node ${process.versions.node}`;
}

export function readResults(file: string): Results {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : {};
}

/** Writes the result into the file, beside the results of other measurements that are there already. */
export function addResult(file: string, result: Result): void {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...readResults(file), [result.name]: result }, undefined, 2)}\n`);
}
