// `npm run start:func`: the app in the real Functions host of Azure Functions Core Tools, on the local servers.

import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Child, type Exit, exitText } from "./child.ts";
import { fail } from "./fail.ts";
import { readOptions } from "./options.ts";
import { type Servers, startServers } from "./servers-stack.ts";
import { apiKeys, refuseBusyPorts, stopWithParent, takeDataFolder } from "./workplace.ts";

const options = readOptions("npm run start:func");

/** How long func may take to stop. Milliseconds. */
const LONGEST_STOP = 15_000;

const MISSING =
  "Azure Functions Core Tools 4 are not on the PATH. To get them: npm install -g azure-functions-core-tools@4\n" +
  "Other ways: https://learn.microsoft.com/azure/azure-functions/functions-run-local. " +
  "`npm start` runs the app without them.";

/** Settings that say which servers are used: local.settings.json decides, whatever the environment is for. */
const OF_SERVERS = [
  "AzureWebJobsStorage",
  "COSMOS_ENDPOINT",
  "COSMOS_KEY",
  "COSMOS_DATABASE",
  "COSMOS_CREATE_CONTAINERS",
  "ServiceBusConnection",
];

const func = (await findOnPath("func")) ?? fail(MISSING);
const { functions: port, ...ports } = options.ports;
takeDataFolder(options);
await refuseBusyPorts(options);

const stopping = new AbortController();
let exitCode: number | undefined;
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());
// The terminal sends Ctrl-C to func as well, and this process ends after func.
process.on("SIGINT", () => {
  if (!process.stdin.isTTY) stopping.abort();
});
stopWithParent(() => stopping.abort());

const servers = await startServers({
  ports,
  dataDir: options.dataDir,
  apiKeys: await apiKeys(options.dataDir),
  onDeath,
}).catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
const funcExitCode = stopping.signal.aborted ? 0 : await runFunc(func, servers);
await servers.stop();
process.exit(exitCode ?? funcExitCode);

function onDeath(child: Child, exit: Exit): void {
  console.error(`${child.name} died (${exitText(exit)}).`);
  exitCode = 1;
  stopping.abort();
}

async function runFunc(command: string, { settings }: Servers): Promise<number> {
  await provideSettings(path.join(options.appDir, "local.settings.json"), settings);
  const child = spawn(command, ["start", "--port", String(port)], {
    cwd: options.appDir,
    env: environment(),
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  stopping.signal.addEventListener("abort", () => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), LONGEST_STOP).unref();
  });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`func does not start: ${error.message}`);
      resolve(1);
    });
    child.once("exit", (code) => resolve(code ?? (stopping.signal.aborted ? 0 : 1)));
  });
}

/** Writes a missing local.settings.json. One that is there is the user's: it stays, and what it has else is told. */
async function provideSettings(file: string, settings: Record<string, string>): Promise<void> {
  const text = `${JSON.stringify({ IsEncrypted: false, Values: settings }, undefined, 2)}\n`;
  try {
    await writeFile(file, text, { mode: 0o600, flag: "wx" });
    console.log(`Wrote ${file}: it names the local servers and holds no key but theirs.`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const { Values: present = {} } = JSON.parse(await readFile(file, "utf8")) as { Values?: Record<string, string> };
    const others = OF_SERVERS.filter((name) => present[name] !== settings[name]);
    console.log(`${file} is used as it is.`);
    if (others.length > 0) console.log(`It does not name the servers that run now in: ${others.join(", ")}.`);
  }
}

/** What func gets: without settings that would go before those of the file, and with this Node for its worker. */
function environment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of OF_SERVERS) delete env[name];
  return { ...env, PATH: [path.dirname(process.execPath), env.PATH ?? ""].join(path.delimiter) };
}

async function findOnPath(name: string): Promise<string | undefined> {
  const endings = process.platform === "win32" ? [".exe", ".cmd"] : [""];
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  for (const file of folders.flatMap((folder) => endings.map((ending) => path.join(folder, `${name}${ending}`)))) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}
