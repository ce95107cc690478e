// What `npm start` and `npm run dev` have in common: ports, the API key, and when to stop.

import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { isPortFree, portHolder } from "./ports.ts";
import type { StackPorts } from "./stack.ts";

const { env } = process;

export const PROJECT = path.dirname(import.meta.dirname);

const PARENT_POLL_MS = 250;

/** The port of each server: from its environment variable, or the usual one. Ends the process if one is no port. */
export function chosenPorts(): StackPorts {
  const serviceBus = portFrom("SERVICE_BUS_PORT", 5672);
  return {
    cosmos: portFrom("COSMOS_PORT", 8081),
    serviceBus,
    serviceBusControl: serviceBus === 0 ? 0 : serviceBus + 1,
    model: portFrom("MODEL_PORT", 4010),
    blobs: portFrom("BLOB_PORT", 10_000),
    functions: portFrom("PORT", 7071),
  };
}

function portFrom(variable: string, usual: number): number {
  const text = env[variable] || String(usual);
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_535) return port;
  fail(`${variable} must be a port number, not "${text}".`);
}

export async function refuseBusyPorts(chosen: StackPorts): Promise<void> {
  const wanted: [string, number, string][] = [
    ["The app", chosen.functions, "PORT"],
    ["Cosmos DB", chosen.cosmos, "COSMOS_PORT"],
    ["Service Bus", chosen.serviceBus, "SERVICE_BUS_PORT"],
    ["Service Bus's control", chosen.serviceBusControl, "SERVICE_BUS_PORT"],
    ["Azurite", chosen.blobs, "BLOB_PORT"],
  ];
  if (!env.MODEL_ENDPOINT) wanted.push(["The simulated model", chosen.model, "MODEL_PORT"]);
  const problems: string[] = [];
  for (const [server, port, variable] of wanted) {
    if (port === 0 || (await isPortFree(port))) continue;
    const holder = await portHolder(port);
    const held = holder ? `process ${holder.pid} (${holder.command})` : "another process";
    problems.push(`${server} needs port ${port}, but ${held} uses it. Set ${variable} to move it.`);
  }
  if (problems.length > 0) fail(problems.join("\n"));
}

/** The value of API_KEYS, or a key that is made at the first start and kept in a file only its owner can read. */
export async function apiKeys(dataDir: string): Promise<string> {
  if (env.API_KEYS) return env.API_KEYS;
  const file = path.join(dataDir, "api-key");
  const kept = (await readFile(file, "utf8").catch(() => "")).trim();
  if (kept !== "") return `local:${kept}`;
  const key = `tk-${randomBytes(20).toString("hex")}`;
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return `local:${key}`;
}

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

export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
