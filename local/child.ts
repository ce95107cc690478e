import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";

/** What a server says over the IPC channel when it listens. */
export interface Ready {
  port: number;
  controlPort?: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ChildSpec {
  name: string;
  /** The ports of the first start; 0 for free ones. A restart gets the ports that the first start got. */
  ports: Ready;
  args: (ports: Ready) => string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Polled after the ready message: the child is healthy when this address answers 200. */
  healthUrl?: (ports: Ready) => string;
  /** Receives every line of the child's output. */
  log: (line: string) => void;
  /** Whether people see each line: then an error does not repeat them. */
  isShown?: boolean;
  /** Called when the child ends on its own, without `kill` or `restart`. */
  onDeath: (child: Child, exit: Exit) => void;
}

/** The folder in which Node keeps compiled code: each start after the first takes half the time. */
export const COMPILE_CACHE = path.join(import.meta.dirname, "../node_modules/.cache/node");

const KEPT_LINES = 40;
const LONGEST_START_MS = 30_000;
/** How long a child may take to stop after SIGTERM; then it gets SIGKILL. */
const LONGEST_STOP_MS = 15_000;
const HEALTH_POLL_MS = 25;

/** One server of the stack in a process of its own, which can be killed and restarted. */
export class Child {
  readonly name: string;
  readonly #spec: ChildSpec;
  #knownPorts: Ready;
  #process: ChildProcess | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #isRunning = false;
  #isExpectedToEnd = false;
  #recentLines: string[] = [];

  constructor(spec: ChildSpec) {
    this.name = spec.name;
    this.#spec = spec;
    this.#knownPorts = spec.ports;
  }

  /** The process id; undefined before the first start. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get ports(): Ready {
    return this.#knownPorts;
  }

  /** Resolves when the present process has ended. */
  get exited(): Promise<Exit> {
    return this.#exit;
  }

  /** The last lines that the child wrote, oldest first. */
  get lastLines(): string[] {
    return this.#recentLines;
  }

  /** Starts the process and waits until it is healthy; rejects with its last output if it ends or takes too long. */
  async start(): Promise<void> {
    this.#recentLines = [];
    this.#isExpectedToEnd = true;
    const child = this.#spawn();
    const deadline = AbortSignal.timeout(LONGEST_START_MS);
    const failed = this.#failureToStart(deadline);
    const ready = await Promise.race([readyMessage(child), failed]);
    this.#knownPorts = ready;
    if (this.#spec.healthUrl) await Promise.race([healthy(this.#spec.healthUrl(ready), deadline), failed]);
    this.#isExpectedToEnd = false;
  }

  /** Sends the signal and resolves when the process has ended; after LONGEST_STOP_MS it sends SIGKILL. */
  async kill(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    this.#isExpectedToEnd = true;
    if (this.#isRunning) {
      const child = this.#process;
      child?.kill(signal);
      const last = setTimeout(() => child?.kill("SIGKILL"), LONGEST_STOP_MS);
      await this.#exit;
      clearTimeout(last);
    }
    return this.#exit;
  }

  /** Starts again on the same ports with the same arguments, after stopping the process if it still runs. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, this.#spec.args(this.#knownPorts), {
      cwd: this.#spec.cwd,
      env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...this.#spec.env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A process group of its own: Ctrl-C reaches only the parent, which stops its children in the right order.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    this.#process = child;
    this.#isRunning = true;
    for (const output of [child.stdout, child.stderr]) {
      if (output) createInterface({ input: output }).on("line", (line) => this.#keep(line));
    }
    this.#exit = new Promise((resolve) => {
      // "close" comes after the last line of output, unlike "exit".
      child.once("close", (code, signal) => {
        this.#isRunning = false;
        const exit = { code, signal };
        if (!this.#isExpectedToEnd) this.#spec.onDeath(this, exit);
        resolve(exit);
      });
      child.once("error", (error) => this.#keep(error.message));
    });
    return child;
  }

  #keep(line: string): void {
    this.#recentLines.push(line);
    if (this.#recentLines.length > KEPT_LINES) this.#recentLines.shift();
    this.#spec.log(line);
  }

  async #failureToStart(deadline: AbortSignal): Promise<never> {
    const late = new Promise<string>((resolve) => {
      deadline.addEventListener("abort", () => resolve(`is not healthy after ${LONGEST_START_MS / 1000} s`));
    });
    const reason = await Promise.race([late, this.#exit.then((exit) => `ended while starting (${exitText(exit)})`)]);
    throw new Error([`${this.name} ${reason}.`, ...(this.#spec.isShown ? [] : this.#recentLines)].join("\n"));
  }
}

export function exitText({ code, signal }: Exit): string {
  return signal ? `killed by ${signal}` : `exit code ${code}`;
}

function readyMessage(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve) => {
    child.on("message", (message) => {
      if (isReady(message)) resolve(message);
    });
  });
}

function isReady(message: unknown): message is Ready {
  return typeof message === "object" && message !== null && "ready" in message && "port" in message;
}

async function healthy(url: string, deadline: AbortSignal): Promise<void> {
  while (!deadline.aborted) {
    const response = await fetch(url, { signal: deadline }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, HEALTH_POLL_MS));
  }
}
