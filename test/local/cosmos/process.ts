import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const MAIN = fileURLToPath(new URL("../../../local/cosmos/main.ts", import.meta.url));

export interface CosmosProcess {
  child: ChildProcess;
  endpoint: string;
  port: number;
}

/** Starts the program as a user would and waits until it is ready. */
export async function startProcess(...args: string[]): Promise<CosmosProcess> {
  const child = fork(MAIN, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const ready = once(child, "message").then(([message]) => message as { endpoint: string; port: number });
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(`The server ended with ${code} before it was ready.`);
  });
  // Later exits are expected.
  exited.catch(() => {});
  return { child, ...(await Promise.race([ready, exited])) };
}

/** Ends the process with this signal; gives its exit code, or null when the signal ended it. */
export async function end({ child }: CosmosProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, "exit");
  child.kill(signal);
  const [code] = await exited;
  return code;
}
