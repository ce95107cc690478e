/**
 * Installs the frameworks, which are no part of this project's own dependencies, and runs their tests. Where they
 * cannot be had because no registry answers, one line says so, and the exit code is 0.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const HERE = import.meta.dirname;
const PROJECT = path.join(HERE, "../..");

/** 680 MB in 830 packages: 70 s on two cores with an empty cache. Milliseconds. */
const INSTALL_TIMEOUT = 180_000;
const TEST_TIMEOUT = 180_000;

/** The lock that node_modules was installed from, so that a second run need not install again. */
const STAMP = path.join(HERE, "node_modules/.installed");
const lock = () =>
  createHash("sha256")
    .update(readFileSync(path.join(HERE, "package-lock.json")))
    .digest("hex");

/** Of what npm says when it reaches no registry, or one that does not have all packages. */
const NO_REGISTRY = /E404|ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ETARGET|ERR_SOCKET_TIMEOUT/;

function run(command: string, args: string[], timeout: number): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd: HERE, timeout, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Why the frameworks cannot be had; undefined if they are there. Throws if npm fails otherwise. */
function install(): string | undefined {
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === lock()) return undefined;
  const npm = process.env.npm_execpath;
  const args = ["ci", "--fetch-retries=1", "--fetch-timeout=30000"];
  const { status, stderr, error } =
    npm === undefined ? run("npm", args, INSTALL_TIMEOUT) : run(process.execPath, [npm, ...args], INSTALL_TIMEOUT);
  if (status === 0) {
    writeFileSync(STAMP, lock());
    return undefined;
  }
  if (error !== undefined && "code" in error && error.code === "ETIMEDOUT") return "the install took too long";
  const problem = NO_REGISTRY.exec(stderr)?.[0];
  if (problem === undefined) throw new Error(`npm ci failed in test/frameworks:\n${stderr}`);
  return `npm says ${problem}`;
}

function check(name: string, args: string[], timeout: number): boolean {
  const { status, error } = spawnSync(process.execPath, args, { cwd: PROJECT, timeout, stdio: "inherit" });
  if (error !== undefined) console.error(`Frameworks: ${name} did not end within ${timeout / 1000} s.`);
  return status === 0;
}

const missing = install();
if (missing !== undefined) {
  console.log(`Frameworks: skipped, as they could not be installed (${missing}).`);
} else {
  const config = path.join(HERE, "vitest.config.ts");
  const isTyped = check("tsc", ["node_modules/typescript/bin/tsc", "-p", HERE], TEST_TIMEOUT);
  const isGreen = check("vitest", ["node_modules/vitest/vitest.mjs", "run", "--config", config], TEST_TIMEOUT);
  process.exitCode = isTyped && isGreen ? 0 : 1;
}
