/** Which modules an instance has loaded when it has answered its first request. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inside } from "../lib/inside.ts";
import type { Cell, Table } from "../lib/measurement.ts";
import { ask, startHost } from "./host-start.ts";

export async function loadedModules(appDir: string, env: NodeJS.ProcessEnv, request: string): Promise<Table> {
  const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-modules-"));
  const list = path.join(folder, "modules.json");
  const host = await startHost(appDir, { ...env, ...inside("list-modules"), MODULE_LIST: list });
  try {
    await ask(host, env, request);
    while (!existsSync(list) || readFileSync(list, "utf8") === "") await sleep(10);
    return byPackage(JSON.parse(readFileSync(list, "utf8")) as string[], request);
  } finally {
    await host.stop();
    rmSync(folder, { recursive: true });
  }
}

interface Loaded {
  files: number;
  bytes: number;
}

function byPackage(urls: string[], request: string): Table {
  const packages = new Map<string, Loaded>();
  for (const file of urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url))) {
    const name = packageOf(file);
    const { files, bytes } = packages.get(name) ?? { files: 0, bytes: 0 };
    packages.set(name, { files: files + 1, bytes: bytes + statSync(file).size });
  }
  const rows = [...packages]
    .toSorted(([, a], [, b]) => b.bytes - a.bytes)
    .map(([name, { files, bytes }]): Cell[] => [name, files, Math.round(bytes / 1024)]);
  const sum = (column: number) => rows.reduce((total, row) => total + Number(row[column]), 0);
  const columns = ["package", "files", "KB of source"];
  return { title: `Loaded when GET ${request} was answered`, columns, rows: [...rows, ["in all", sum(1), sum(2)]] };
}

function packageOf(file: string): string {
  const name = file
    .split("/node_modules/")
    .at(-1)
    ?.match(/^(?:@[^/]+\/)?[^/]+/)?.[0];
  if (file.includes("/node_modules/") && name !== undefined) return name;
  return file.includes("/local/functions/") ? "(local functions host)" : "(the app)";
}
