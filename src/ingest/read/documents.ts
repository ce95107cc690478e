/**
 * Reads a document in a process of its own, which bounds what it may cost: such files come from strangers, and
 * libraries that read them can be made to run forever or to fill the memory. (A thread is not enough: a heap that grows
 * by one large step over the limit of a thread ends the whole process.)
 */
import { type ChildProcess, spawn } from "node:child_process";
import { setPriority } from "node:os";
import path from "node:path";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { FILE_NOT_PARSED, FILE_TOO_LARGE } from "../../resources/file-errors.ts";
import type { FileKind } from "../../resources/file-types.ts";
import { type FromProcess, OUT_OF_TIME, TELLS_ON } from "./process-messages.ts";
import { UnreadableFile } from "./unreadable.ts";

/** Beside this file, in the sources, in what the compiler makes of them, and in the bundle (infra/bundle.ts). */
const PROGRAM = fileURLToPath(new URL(`reading-process${path.extname(import.meta.url)}`, import.meta.url));

export interface Document {
  kind: Exclude<FileKind, "text">;
  /** bytes */
  size: number;
  bytes: AsyncIterable<Uint8Array>;
}

/** What reading one document may take. */
export interface Bounds {
  /** of the process's heap, in MB */
  heap: number;
  /** of all that it holds: the file, what is unpacked of it, and its heap. MB */
  memory: number;
  /** of a processor; milliseconds. The same file so has the same outcome on a busy machine. */
  time: number;
  /** how many times longer it may take by the clock, without the time in which it waits for the one who reads */
  patience: number;
}

export const BOUNDS: Bounds = { heap: 512, memory: 900, time: 120_000, patience: 5 };

/** Of Unix: requests and runs go first. */
const LOW_PRIORITY = 5;

/**
 * The document's text in pieces of at most 64K characters, read only as fast as they are taken. Throws UnreadableFile,
 * the signal's reason, or what its bytes threw; another error if the machine has no time for it.
 */
export async function* readDocument(document: Document, signal: AbortSignal, bounds = BOUNDS): AsyncGenerator<string> {
  signal.throwIfAborted();
  const reading = new Reading(document, bounds);
  const stop = () => reading.fail(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    for (let text = await reading.next(); text !== undefined; text = await reading.next()) yield text;
  } finally {
    signal.removeEventListener("abort", stop);
    reading.end();
  }
}

class Reading {
  readonly #child: ChildProcess;
  readonly #lines: AsyncGenerator<string>;
  readonly #failed: Promise<never>;
  readonly #died: Promise<NodeJS.Signals | null>;
  #fail: (error: unknown) => void = () => {};
  #left: number;

  constructor({ kind, size, bytes }: Document, { heap, memory, time, patience }: Bounds) {
    this.#left = time * patience;
    const program = [`--max-old-space-size=${heap}`, PROGRAM, kind, String(size), String(memory), String(time)];
    // It reads what strangers wrote: it gets no secrets, and what the libraries print goes nowhere.
    const stdio: ("pipe" | "ignore")[] = ["pipe", "ignore", "ignore", "pipe"];
    this.#child = spawn(process.execPath, program, { env: {}, stdio, windowsHide: true });
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
    this.#died = new Promise((resolve) => this.#child.once("close", (_, signal) => resolve(signal)));
    this.#child.once("error", (error) => this.fail(error));
    this.#lines = linesOf(this.#child.stdio[TELLS_ON] as Readable);
    lower(this.#child);
    this.#feed(bytes);
  }

  /** The next piece; undefined after the last. */
  async next(): Promise<string | undefined> {
    const started = performance.now();
    // Not the file's fault: it may be read later.
    const timer = setTimeout(() => this.fail(new Error("a document was not read in time")), this.#left);
    try {
      const { value: line } = await Promise.race([this.#lines.next(), this.#failed]);
      if (line === undefined) throw await Promise.race([this.#died.then(deathOf), this.#failed]);
      const message = JSON.parse(line) as FromProcess;
      if ("text" in message) return message.text;
      if ("failure" in message) throw new UnreadableFile(message.failure, message.reason);
      return undefined;
    } finally {
      clearTimeout(timer);
      this.#left -= performance.now() - started;
    }
  }

  /** The first failure counts. */
  fail(error: unknown): void {
    this.#fail(error);
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }

  /** What cannot be written is for a process that has ended, which tells itself why. */
  #feed(bytes: AsyncIterable<Uint8Array>): void {
    let failure: { error: unknown } | undefined;
    async function* watched() {
      try {
        yield* bytes;
      } catch (error) {
        failure = { error };
        throw error;
      }
    }
    const input = this.#child.stdin ?? new Writable();
    pipeline(watched, input).catch(() => {
      if (failure !== undefined) this.fail(failure.error);
    });
  }
}

/** A process that takes too much is ended by its own watch, by V8 or by the system: all of them use signals. */
function deathOf(signal: NodeJS.Signals | null): UnreadableFile {
  if (signal === null) return new UnreadableFile(FILE_NOT_PARSED, "no end");
  if (signal === OUT_OF_TIME) return new UnreadableFile(FILE_NOT_PARSED, "time");
  return new UnreadableFile(FILE_TOO_LARGE, `memory (${signal})`);
}

function lower({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, LOW_PRIORITY);
  } catch {
    // Where that is not allowed, it competes.
  }
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of stream.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
