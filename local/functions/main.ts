// The command line: node local/functions/main.ts --app DIR [--port N] [--quiet] [--grace SECONDS] …

import { parseArgs } from "node:util";
import { type Host, startHost } from "./host.ts";
import { consoleLog } from "./log.ts";

/** The exit code after a function has taken longer than host.json allows. */
const TIMED_OUT = 3;

/** The grace when the parent process is gone: the servers that it ran are gone with it, so nothing can be finished. */
const orphanGraceMs = 1000;

interface CommandLine {
  appDir: string;
  port: number;
  host: string;
  cors: string | undefined;
  quiet: boolean;
  graceMs: number;
  terminateMs: number;
  scaleGroup: string | undefined;
  masterKey: string | undefined;
  functionKey: string | undefined;
}

function readCommandLine(): CommandLine {
  const { values } = parseArgs({
    options: {
      app: { type: "string", default: "." },
      port: { type: "string", default: "7071" },
      host: { type: "string", default: "127.0.0.1" },
      cors: { type: "string" },
      quiet: { type: "boolean", default: false },
      grace: { type: "string", default: "30" },
      "terminate-grace": { type: "string", default: "5" },
      "scale-group": { type: "string" },
      "master-key": { type: "string" },
      "function-key": { type: "string" },
    },
  });
  return {
    appDir: values.app,
    port: numberOption("--port", values.port),
    host: values.host,
    cors: values.cors,
    quiet: values.quiet,
    graceMs: numberOption("--grace", values.grace) * 1000,
    terminateMs: numberOption("--terminate-grace", values["terminate-grace"]) * 1000,
    scaleGroup: values["scale-group"],
    masterKey: values["master-key"],
    functionKey: values["function-key"],
  };
}

function numberOption(name: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`${name} must be a number, not "${text}".`);
  return Number(text);
}

/** Errors that say "the program is wrong", where the place matters; of others the message says it all. */
function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof SyntaxError;
}

function startMessage(error: unknown, port: number | undefined): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "EADDRINUSE") return `functions: port ${port} is in use.`;
  return isProgrammingError(error) ? (error.stack ?? error.message) : error.message;
}

async function run(host: Host, { graceMs, terminateMs }: CommandLine, parentGone: Promise<void>): Promise<void> {
  // Listens before it says that it is ready: the parent may send SIGTERM in the same moment.
  const stopped = new Promise<number>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(graceMs));
    void parentGone.then(() => resolve(Math.min(graceMs, orphanGraceMs)));
  });
  console.log(`functions ready on http://127.0.0.1:${host.port}`);
  if (process.connected) process.send?.({ ready: true, port: host.port });

  const grace = await stopped;
  // A second signal: the user does not want to wait.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(1));
  const { handlers, hooks } = await host.stop(grace, terminateMs);
  if (handlers > 0) console.error(`functions: stopped while ${handlers} handlers were still running.`);
  if (hooks) console.error(`functions: the appTerminate hooks had not ended after ${terminateMs / 1000} s.`);
  process.exit(0);
}

// From the very start: a parent may be killed while the app is being loaded.
const parentGone = new Promise<void>((resolve) => process.once("disconnect", resolve));
let port: number | undefined;
try {
  const options = readCommandLine();
  port = options.port;
  const host = await startHost({
    appDir: options.appDir,
    port,
    host: options.host,
    cors: options.cors,
    keys: { master: options.masterKey, function: options.functionKey },
    log: consoleLog(options.quiet ? "warning" : "information"),
    scaleGroup: options.scaleGroup,
    // The app runs in this process: where the host in Azure starts another worker, the process that started this one
    // must.
    killWorker: () => process.exit(TIMED_OUT),
  });
  await run(host, options, parentGone);
} catch (error) {
  console.error(startMessage(error, port));
  // By force: whatever the app opened before it failed would keep the process alive.
  process.exit(1);
}
