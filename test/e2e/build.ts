import { spawnSync } from "node:child_process";
import { globSync, statSync, utimesSync } from "node:fs";
import path from "node:path";

export const PROJECT = path.resolve(import.meta.dirname, "../..");

const SOURCES = ["src/**/*.ts", "functions/**/*.ts", "tsconfig*.json", "package-lock.json"];
const BUILT = "dist/.tsbuildinfo";

/** Compiles the app if `dist` is missing or older than its sources; throws with the compiler's own words. */
export function buildIfStale(): void {
  const newest = Math.max(...globSync(SOURCES, { cwd: PROJECT }).map(modified));
  if (modified(BUILT) >= newest) return;
  const started = new Date();
  const compiler = path.join(PROJECT, "node_modules/typescript/bin/tsc");
  const args = [compiler, "--project", "tsconfig.build.json"];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: PROJECT, encoding: "utf8" });
  if (status !== 0) throw new Error(`The app does not compile:\n${stdout}`);
  // The compiler leaves the file as it is when there was nothing to do.
  utimesSync(path.join(PROJECT, BUILT), started, started);
}

const modified = (file: string) => statSync(path.join(PROJECT, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
