/** `npm run test:dotnet`: runs the .NET client of Service Bus, which the real Functions host uses, against the broker. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startControl } from "../../../local/service-bus/control.ts";
import { addressOf, type QueueOptions, ServiceBusBroker } from "../../../local/service-bus/server.ts";

const PROJECT = path.join(import.meta.dirname, "service-bus", "service-bus.csproj");
const OLDEST_SDK = 10;

/** Each check has a queue of its own. */
const QUEUES: Record<string, QueueOptions> = {
  ...Object.fromEntries(
    ["send", "list", "batch", "large", "ids", "schedule", "cancel", "complete", "abandon", "defer", "dead", "mixed"]
      .concat(["drain", "empty", "wait", "waits", "prefetch", "delete", "peek", "processor", "stopping", "letters"])
      .concat(["busy", "held"])
      .map((name) => [name, {}]),
  ),
  duplicates: { dupWindow: 60_000 },
  last: { maxDeliveryCount: 3 },
  throwing: { maxDeliveryCount: 3 },
  short: { lockDuration: 2000 },
  lost: { lockDuration: 500 },
  slow: { lockDuration: 2000 },
  kill: { lockDuration: 2000 },
  cut: { lockDuration: 1000, dupWindow: 60_000, maxDeliveryCount: 100 },
};

/** Why the tests cannot run on this machine; undefined if they can. */
function hindrance(): string | undefined {
  const { status, stdout } = spawnSync("dotnet", ["--version"], { encoding: "utf8" });
  if (status !== 0) return "there is no .NET SDK";
  const version = stdout.trim();
  return Number.parseInt(version, 10) >= OLDEST_SDK ? undefined : `the .NET SDK ${version} is older than ${OLDEST_SDK}`;
}

/** Builds the program outside of the repository. Returns its path, or undefined if its packages cannot be had here. */
function build(folder: string): string | undefined {
  const options = ["--configuration", "Release", "--artifacts-path", folder, "-p:RestoreLockedMode=true"];
  const { status, stdout } = spawnSync("dotnet", ["build", PROJECT, ...options], { encoding: "utf8" });
  if (status === 0) return path.join(folder, "bin", "service-bus", "release", "service-bus");
  // NuGet: the source cannot be reached, or does not have the package.
  if (/error NU(1301|1101|1102)/.test(stdout)) return undefined;
  throw new Error(`The .NET program could not be built.\n${stdout}`);
}

async function check(program: string, filter: string): Promise<number> {
  const queues = Object.entries(QUEUES).map(([name, settings]) => ({ name, ...settings }));
  const broker = await new ServiceBusBroker({ queues, tier: "standard", log: console.error }).start();
  const control = await startControl(broker, 0);
  try {
    const address = `http://127.0.0.1:${addressOf(control).port}`;
    const child = spawn(program, [broker.connectionString(), address, filter], { stdio: "inherit" });
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 1));
    });
  } finally {
    control.close();
    control.closeAllConnections();
    await broker.stop();
  }
}

const reason = hindrance();
const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-dotnet-"));
try {
  const program = reason === undefined ? build(folder) : undefined;
  if (program === undefined) console.log(`test:dotnet skipped: ${reason ?? "its NuGet packages cannot be had here"}.`);
  else process.exitCode = await check(program, process.argv[2] ?? "");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
