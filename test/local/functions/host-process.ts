// Starts the host as a user does, as a process of its own: @azure/functions serves one app a process.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../../local/functions/main.ts", import.meta.url));

export interface HostProcess {
  url: string;
  port: number;
  child: ChildProcess;
  /** Everything that it has written to standard output and standard error. */
  output(): string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
}

interface StartOptions {
  args?: string[];
  env?: Record<string, string>;
}

/** Starts the app of a folder under fixtures/ on a free port; rejects with its output if it ends before it is ready. */
export async function startHostProcess(fixture: string, options: StartOptions = {}): Promise<HostProcess> {
  const { child, output, exit } = spawnHost(fixture, options);
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message: { port: number }) => resolve(message.port));
    void exit.then((code) => reject(new Error(`the host exited with ${code}: ${output()}`)));
  });
  const stop = () => {
    child.kill("SIGTERM");
    return exit;
  };
  return { url: `http://127.0.0.1:${port}`, port, child, output, stop };
}

/** Starts an app that is expected to refuse to start, and resolves when it has ended. */
export async function startAndFail(
  fixture: string,
  options: StartOptions = {},
): Promise<{ code: number | null; output: string }> {
  const { output, exit } = spawnHost(fixture, options);
  const code = await exit;
  return { code, output: output() };
}

function spawnHost(fixture: string, { args = [], env = {} }: StartOptions) {
  const folder = fileURLToPath(new URL(`./fixtures/${fixture}`, import.meta.url));
  const child = spawn(process.execPath, [main, "--app", folder, "--port", "0", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let text = "";
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  const exit = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  return { child, output: () => text, exit };
}

/** Waits until a condition holds, and resolves with what it then gives. */
export async function until<T>(
  condition: () => T | Promise<T>,
  withinMs = 10_000,
): Promise<Exclude<T, false | undefined | null>> {
  const end = Date.now() + withinMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, false | undefined | null>;
    if (Date.now() > end) throw new Error(`waited ${withinMs} ms for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
