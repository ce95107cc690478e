// What the commands that start the local servers have in common: the folder of data, free ports, the API key, and when
// to stop.

import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fail } from "./fail.ts";
import { FolderInUse, type FolderLock, takeFolder } from "./folder-lock.ts";
import type { WorkplaceOptions } from "./options.ts";
import { isPortFree, portHolder } from "./ports.ts";

const { env } = process;

const PARENT_POLL_MS = 250;
/** What the servers keep in the folder of data. */
const DATA = ["cosmos", "service-bus", "blobs"];
/** How long the servers of an app that was killed may take to end. */
const PATIENCE_MS = 2000;
const KEY_FILE = "api-key";

/** Takes the folder of data for this process. Ends the process if another one has it, or if it cannot be used. */
export function takeDataFolder({ dataDir, reset }: Pick<WorkplaceOptions, "dataDir" | "reset">): FolderLock {
  try {
    const lock = takeFolder(dataDir);
    if (reset) removeData(dataDir);
    return lock;
  } catch (error) {
    if (!(error instanceof FolderInUse))
      fail(`Cannot use ${dataDir}: ${error instanceof Error ? error.message : error}`);
    const { pid, url } = error.holder;
    const state = url === undefined ? `already starting (pid ${pid})` : `already running at ${url} (pid ${pid})`;
    fail(
      `Threadkeep is ${state} on the data in ${dataDir}. For a second one beside it, choose --data and other ports.`,
    );
  }
}

function removeData(dataDir: string): void {
  const there = DATA.filter((name) => existsSync(path.join(dataDir, name)));
  try {
    for (const name of there) takeFolder(path.join(dataDir, name), PATIENCE_MS).release();
  } catch (error) {
    fail(`${error instanceof Error ? error.message : error}: nothing was removed.`);
  }
  for (const name of there) rmSync(path.join(dataDir, name), { recursive: true });
  console.log(
    there.length > 0 ? `Removed from ${dataDir}: ${there.join(", ")}. The API key stays.` : `No data in ${dataDir}.`,
  );
}

export async function refuseBusyPorts({ ports, host }: Pick<WorkplaceOptions, "ports" | "host">): Promise<void> {
  const wanted: [server: string, port: number, variable: string, option: string][] = [
    ["The app", ports.functions, "PORT", "--port"],
    ["Cosmos DB", ports.cosmos, "COSMOS_PORT", "--cosmos-port"],
    ["Service Bus", ports.serviceBus, "SERVICE_BUS_PORT", "--service-bus-port"],
    ["Service Bus's control", ports.serviceBusControl, "SERVICE_BUS_PORT", "--service-bus-port"],
    ["Azurite", ports.blobs, "BLOB_PORT", "--blob-port"],
  ];
  if (!env.MODEL_ENDPOINT) wanted.push(["The simulated model", ports.model, "MODEL_PORT", "--model-port"]);
  if (!env.CODE_SESSIONS_ENDPOINT) wanted.push(["The server of code sessions", ports.code, "CODE_PORT", "--code-port"]);
  const problems: string[] = [];
  for (const [server, port, variable, option] of wanted) {
    if (port === 0 || (await isPortFree(port, port === ports.functions ? host : undefined))) continue;
    const holder = await portHolder(port);
    const held = holder ? `process ${holder.pid} (${holder.command})` : "another process";
    problems.push(`${server} needs port ${port}, but ${held} uses it. Set ${variable}, or -- ${option} N, to move it.`);
  }
  if (problems.length > 0) fail(problems.join("\n"));
}

/** The value of API_KEYS, or a key that is made at the first start and kept in a file only its owner can read. */
export async function apiKeys(dataDir: string): Promise<string> {
  if (env.API_KEYS) return env.API_KEYS;
  const file = path.join(dataDir, KEY_FILE);
  const kept = (await readFile(file, "utf8").catch(() => "")).trim();
  if (kept !== "") return `local:${kept}`;
  const key = `tk-${randomBytes(20).toString("hex")}`;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return `local:${key}`;
}

/** What a user may have meant otherwise, a line each. */
export function remarks({ dataDir, host }: WorkplaceOptions): string[] {
  const lines: string[] = [];
  const unused = ["COSMOS_ENDPOINT", "COSMOS_KEY", "COSMOS_DATABASE", "ServiceBusConnection"].filter(
    (name) => env[name],
  );
  if (unused.length > 0) lines.push(`${unused.join(", ")}: not used, as the local servers have their own.`);
  const forModel = ["MODEL_KEY", "MODEL_API_VERSION"].filter((name) => env[name] && !env.MODEL_ENDPOINT);
  if (forModel.length > 0) lines.push(`${forModel.join(", ")}: not used, as MODEL_ENDPOINT is not set.`);
  if (env.MODEL_ENDPOINT && !env.EMBEDDING_MODEL) {
    lines.push("EMBEDDING_MODEL is not set: files cannot be searched.");
  }
  if (env.CODE_SESSIONS_KEY && !env.CODE_SESSIONS_ENDPOINT) {
    lines.push("CODE_SESSIONS_KEY: not used, as CODE_SESSIONS_ENDPOINT is not set.");
  }
  if (env.API_KEYS && existsSync(path.join(dataDir, KEY_FILE))) {
    lines.push(`API_KEYS is set: the key in ${path.join(dataDir, KEY_FILE)} is not valid meanwhile.`);
  }
  if (!isLoopback(host)) {
    lines.push(`Warning: the app listens on ${host}: other machines can reach it, and a key is all that they need.`);
  }
  return lines;
}

export const isLoopback = (host: string) => /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host);

/**
 * Calls `stop` when this process, started by npm, loses its parent. npm runs a script in a shell and sends SIGTERM to
 * that shell, which ends without passing the signal on.
 */
export function stopWithParent(stop: () => void): void {
  if (!env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) stop();
  }, PARENT_POLL_MS);
  watch.unref();
}

/**
 * Calls `stop` when this process is asked to end: by Ctrl-C, by SIGTERM, or as its parent has gone. A terminal is told
 * at once, as stopping takes seconds; a pipe may have lost its reader by the same Ctrl-C.
 */
export function onRequestToStop(stop: () => void): void {
  process.once("SIGINT", () => {
    if (process.stdout.isTTY) console.log("\nStopping …");
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  stopWithParent(stop);
}

/** The stack's key as a start tells it. */
export const shownKey = (apiKey: string): string => apiKey || "yours (API_KEYS holds digests only)";
