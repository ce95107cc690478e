/** Starts the functions host alone, as Azure starts an instance of the app, on servers that are up already. */
import { spawn } from "node:child_process";
import path from "node:path";
import { COMPILE_CACHE } from "../../local/child.ts";
import type { Stack } from "../../local/stack.ts";

const PROJECT = path.resolve(import.meta.dirname, "..", "..");

/** Settings that switch off what drives background runs. */
export const WITHOUT_WORKERS = Object.fromEntries(
  ["run-worker", "overflow-worker"].map((name) => [`AzureWebJobs.${name}.Disabled`, "true"]),
);

/** What an instance is there for, and the scale group that Azure starts it for. */
const GROUPS = { http: "http", worker: "function:run-worker" };
export type Role = keyof typeof GROUPS;

export function environment({ cosmos, serviceBus, model, apiKey }: Stack): NodeJS.ProcessEnv {
  return {
    ...process.env,
    // Azure's host needs no compilation, so the local one may use a cache. The app gets nothing into it: Node writes
    // the cache when a process exits, and these are killed.
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    API_KEYS: `local:${apiKey}`,
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    COSMOS_DATABASE: "threadkeep",
    ServiceBusConnection: serviceBus.connectionString,
    MODEL_ENDPOINT: model.baseUrl,
    MODEL_KEY: model.key,
  };
}

export interface StartedHost {
  /** `http://127.0.0.1:PORT` */
  url: string;
  stop(): Promise<void>;
}

/** Resolves when the host says that it listens; rejects with its error output if it ends before. */
export async function startHost(appDir: string, env: NodeJS.ProcessEnv, role: Role = "http"): Promise<StartedHost> {
  const args = ["local/functions/main.ts", "--app", path.resolve(appDir), "--port", "0", "--grace", "0", "--quiet"];
  const child = spawn(process.execPath, [...args, "--scale-group", GROUPS[role]], {
    cwd: PROJECT,
    env,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let words = "";
  child.stderr?.on("data", (data) => {
    words += data;
  });
  const port = await Promise.race([
    new Promise<number>((resolve) => child.once("message", (message) => resolve((message as { port: number }).port))),
    exited.then(() => Promise.reject(new Error(`The host has not started: ${words}`))),
  ]);
  const stop = () => {
    child.kill("SIGKILL");
    return exited;
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

/** Milliseconds from starting the process to the end of its first answer. Throws unless that is a success. */
export async function timeToFirstAnswer(appDir: string, env: NodeJS.ProcessEnv, path: string): Promise<number> {
  const started = performance.now();
  const host = await startHost(appDir, env);
  try {
    await ask(host, env, path);
    return performance.now() - started;
  } finally {
    await host.stop();
  }
}

export async function ask(host: StartedHost, env: NodeJS.ProcessEnv, path: string): Promise<void> {
  const headers = { authorization: `Bearer ${env.API_KEYS?.slice("local:".length)}`, "openai-beta": "assistants=v2" };
  const response = await fetch(host.url + path, { headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text}`);
}
