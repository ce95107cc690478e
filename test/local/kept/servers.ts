import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

const PROJECT = path.resolve(import.meta.dirname, "../../..");
/** Small, so that journals are shortened often. */
const COMPACT_FROM = "60000";

export type ServerName = "cosmos" | "service-bus";

export interface Server {
  child: ChildProcess;
  pid: number;
  port: number;
  output(): string;
  /** Resolves with the exit code, or null if a signal ended the process. */
  exited: Promise<number | null>;
}

/** Starts a server on a folder of data; rejects with what it said if it ends before it is ready. */
export async function startServer(name: ServerName, data: string): Promise<Server> {
  const args = ["--port", "0", "--data", data, "--compact-from", COMPACT_FROM];
  if (name === "service-bus") args.push("--control-port", "0");
  const child = fork(path.join(PROJECT, "local", name, "main.ts"), args, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += chunk));
  const exited = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  const message = once(child, "message").then(([ready]) => ready as { port: number });
  const refused = exited.then((code) => Promise.reject(new Error(`exit code ${code}: ${output}`)));
  refused.catch(() => {});
  const { port } = await Promise.race([message, refused]);
  return { child, pid: child.pid ?? 0, port, output: () => output, exited };
}

/** What a server says that does not start, and its exit code, as one text. */
export async function refusalOf(name: ServerName, data: string): Promise<string> {
  try {
    const server = await startServer(name, data);
    server.child.kill("SIGKILL");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error(`The second ${name} on ${data} started.`);
}
