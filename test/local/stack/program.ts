import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, vi } from "vitest";

const freePorts = {
  PORT: "0",
  COSMOS_PORT: "0",
  SERVICE_BUS_PORT: "0",
  MODEL_PORT: "0",
  BLOB_PORT: "0",
  CODE_PORT: "0",
};

/** A command of the project, with free ports and what it says. */
export class Program {
  static readonly #started: ChildProcess[] = [];
  readonly child: ChildProcess;
  output = "";
  readonly ended: Promise<unknown[]>;

  constructor(args: string[], env: Record<string, string> = {}, command = process.execPath) {
    const own = { ...process.env, MODEL_ENDPOINT: "", API_KEYS: "", ...freePorts, ...env };
    this.child = spawn(command, args, { env: own, stdio: ["ignore", "pipe", "pipe"] });
    Program.#started.push(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (chunk) => {
        this.output += chunk;
      });
    }
    this.ended = once(this.child, "close");
  }

  static killAll(): void {
    for (const child of Program.#started) child.kill("SIGKILL");
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async says(text: string): Promise<void> {
    await vi.waitFor(() => expect(this.output).toContain(text), { timeout: 15_000, interval: 20 });
  }
}
