/**
 * One sandbox from the outside: a Deno process without permissions that runs child.mjs. It runs only while it has a
 * question to answer; between two of them it is stopped, so whatever its code has left behind uses no processor.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { z } from "zod";
import { type Frame, FrameReader, frameOf } from "./frames.ts";
import { watchMemory } from "./memory-watch.ts";
import type { Reaper } from "./reaper.ts";

export interface SandboxLimits {
  /** Bytes of WebAssembly memory: beyond them Python gets a MemoryError. */
  wasm: number;
  /** Bytes of the whole process: beyond them it is killed. */
  resident: number;
  /** Milliseconds until it must have started. */
  start: number;
}

export const LIMITS: SandboxLimits = { wasm: 2 ** 30, resident: 1.5e9, start: 120_000 };

export interface SandboxOptions {
  deno: string;
  pyodide: string;
  snapshot: string | undefined;
  /** Where wheels are, and the list of them if it is not Pyodide's own. */
  cache: string | undefined;
  lockFile: string | undefined;
  /** Packages by the names of the modules in them, as far as a session may ask for them. */
  packages: Record<string, string>;
  /** Brings a package into the cache. */
  provide: (name: string) => Promise<boolean>;
  limits: SandboxLimits;
  reaper: Reaper;
}

/**
 * `memory`: more than `resident`. `crash`: it ended by itself, or its interpreter is broken. `forged`: it sent what it
 * was not asked for. `timeout`: the time of a question was over. `closed`: the server ended it.
 */
export type EndReason = "memory" | "crash" | "forged" | "timeout" | "closed";

export class SandboxEnded extends Error {
  readonly reason: EndReason;

  constructor(reason: EndReason, details = "") {
    super(`The sandbox ended: ${reason}${details === "" ? "" : ` (${details})`}`);
    this.reason = reason;
  }
}

/** A file operation that found no such file, or not what it needs there. */
export class Missing extends Error {}

const CHILD = path.join(import.meta.dirname, "child.mjs");
/**
 * Deno's folder, where localStorage and caches would be: code could fill the disk with them, and leave something behind
 * for other sessions. Below a file there can be no folder.
 */
const NO_FOLDER = path.join(CHILD, "none");
/** Bytes of memory of V8's own; Pyodide's is not in it. */
const V8_HEAP_MB = 512;
const FRAME_LIMITS = { head: 8 * 2 ** 20, bytes: 16 * 2 ** 20 };
const MOST_STDERR = 4096;
const CAN_STOP = process.platform !== "win32";

const answer = z.looseObject({
  id: z.int(),
  missing: z.string().optional(),
  broken: z.string().optional(),
  fatal: z.string().optional(),
  need: z.string().max(200).optional(),
});

interface Question {
  id: number;
  resolve: (frame: Frame) => void;
  reject: (error: Error) => void;
}

export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #reader: FrameReader;
  readonly exited: Promise<void>;
  #ended: EndReason | undefined;
  #question: Question | undefined;
  #lastId = 0;
  #stderr = "";
  #unwatch = () => {};
  /** How its interpreter came to be: from the snapshot, from the beginning, or so because the snapshot was broken. */
  start: "snapshot" | "plain" | "fallback" = "plain";

  constructor(options: SandboxOptions, mode: "serve" | "snapshot", frames = FRAME_LIMITS) {
    this.#options = options;
    this.#reader = new FrameReader(frames);
    this.#process = spawn(options.deno, argumentsOf(options, mode), {
      cwd: "/",
      // All of its environment: none of this process's.
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", DENO_DIR: NO_FOLDER },
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    this.exited = this.#follow();
  }

  /** Resolves when Python is ready, and the process stopped. Throws SandboxEnded. */
  static async start(options: SandboxOptions): Promise<Sandbox> {
    const sandbox = new Sandbox(options, "serve");
    sandbox.#write(frameOf({}, Buffer.from(JSON.stringify(options.packages))));
    const { head } = await sandbox.#answered(0, options.limits.start);
    sandbox.start = z.object({ ready: z.enum(["snapshot", "plain", "fallback"]) }).parse(head).ready;
    sandbox.#stop();
    return sandbox;
  }

  /** The memory of an interpreter that has just started, to start others from. No foreign code runs in this one. */
  static async snapshot(options: SandboxOptions): Promise<Buffer> {
    const sandbox = new Sandbox(options, "snapshot", { head: 1000, bytes: 2 ** 27 });
    return (await sandbox.#answered(0, options.limits.start)).bytes;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get ended(): EndReason | undefined {
    return this.#ended;
  }

  /**
   * Asks one question; the next only after its answer. Throws Missing, and SandboxEnded when the time (milliseconds) is
   * over or the sandbox ends otherwise.
   */
  async ask(operation: string, fields: object, time: number, content?: Uint8Array): Promise<Frame> {
    if (this.#ended !== undefined) throw new SandboxEnded(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    this.#continue();
    this.#write(frameOf({ id, op: operation, ...fields }, content));
    const frame = await this.#answered(id, time);
    this.#stop();
    const { missing, broken } = answer.parse(frame.head);
    if (missing !== undefined) throw new Missing(missing);
    // An interpreter that failed outside of Python may do anything from now on.
    if (broken !== undefined) this.kill("crash");
    if (this.#ended !== undefined) throw new SandboxEnded(this.#ended, broken);
    return frame;
  }

  kill(reason: EndReason): void {
    this.#ended ??= reason;
    this.#unwatch();
    this.#process.kill("SIGKILL");
    this.#question?.reject(new SandboxEnded(this.#ended));
    this.#question = undefined;
  }

  #answered(id: number, time: number): Promise<Frame> {
    const timer = setTimeout(() => this.kill("timeout"), time);
    const unwatch = watchMemory(this.pid, this.#options.limits.resident, () => this.kill("memory"));
    this.#unwatch = unwatch;
    const answered = new Promise<Frame>((resolve, reject) => {
      this.#question = { id, resolve, reject };
    });
    return answered.finally(() => {
      clearTimeout(timer);
      unwatch();
    });
  }

  #follow(): Promise<void> {
    const { stdin, stdout, stderr } = this.#process;
    const { reaper } = this.#options;
    if (this.#process.pid !== undefined) reaper.add(this.#process.pid);
    sacrificeFirst(this.#process.pid);
    stdin.on("error", () => {});
    stderr.on("data", (text: Buffer) => {
      if (this.#stderr.length < MOST_STDERR) this.#stderr += text.toString().slice(0, MOST_STDERR);
    });
    stdout.on("data", (chunk: Buffer) => this.#read(chunk));
    return new Promise((resolve) => {
      this.#process.once("error", (error) => {
        this.#stderr += error.message;
        this.kill("crash");
        // A process that could not be started closes nothing.
        if (this.#process.pid === undefined) resolve();
      });
      this.#process.once("close", () => {
        this.kill("crash");
        if (this.#process.pid !== undefined) reaper.remove(this.#process.pid);
        resolve();
      });
    });
  }

  /** What the process wrote to its stderr, for people who look for a fault of this server's. */
  get lastWords(): string {
    return this.#stderr;
  }

  #read(chunk: Buffer): void {
    if (this.#ended !== undefined) return;
    try {
      for (const frame of this.#reader.push(chunk)) this.#take(frame);
    } catch {
      this.kill("forged");
    }
  }

  #take(frame: Frame): void {
    const { id, fatal, need } = answer.parse(frame.head);
    const question = this.#question;
    if (fatal !== undefined && question !== undefined) this.kill("crash");
    // No answer is due: the code has written frames of its own.
    else if (question === undefined || id !== question.id) this.kill("forged");
    else if (need !== undefined) void this.#provide(need);
    else {
      this.#question = undefined;
      question.resolve(frame);
    }
  }

  async #provide(name: string): Promise<void> {
    const provided = await this.#options.provide(name).catch(() => false);
    if (this.#ended === undefined) this.#write(frameOf({ provided }));
  }

  #write(pieces: Uint8Array[]): void {
    for (const piece of pieces) this.#process.stdin.write(piece);
  }

  #stop(): void {
    if (CAN_STOP && this.#ended === undefined) this.#process.kill("SIGSTOP");
  }

  #continue(): void {
    if (CAN_STOP) this.#process.kill("SIGCONT");
  }
}

function argumentsOf(options: SandboxOptions, mode: string): string[] {
  const { pyodide, snapshot, cache, lockFile, limits } = options;
  const readable = [pyodide, snapshot, cache, lockFile].filter((file) => file !== undefined);
  const flags = ["--no-prompt", "--no-remote", "--no-npm", "--cached-only", "--no-config", "--no-lock"];
  return [
    "run",
    ...flags,
    "--no-code-cache",
    `--v8-flags=--max-old-space-size=${V8_HEAP_MB}`,
    `--allow-read=${readable.join(",")}`,
    CHILD,
    ...[pyodide, mode, snapshot ?? "-", cache ?? "-", lockFile ?? "-", String(limits.wasm)],
  ];
}

/** When memory runs out, Linux should end the sandbox and nothing else. */
function sacrificeFirst(pid: number | undefined): void {
  if (process.platform !== "linux" || pid === undefined) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {
    // It has ended already, or the system forbids it.
  }
}
