/**
 * Reads a document in a thread of its own, which bounds what it may cost: such files come from strangers, and libraries
 * that read them can be made to run forever or to fill the memory.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { FILE_NOT_PARSED, FILE_TOO_LARGE } from "../../resources/errors.ts";
import type { FromThread, Task } from "./thread-messages.ts";
import { UnreadableFile } from "./unreadable.ts";

/** Beside this file, in the sources, in what the compiler makes of them, and in the bundle (infra/bundle.ts). */
const THREAD = new URL(`reading-thread${path.extname(import.meta.url)}`, import.meta.url);

export interface Bounds {
  /** the thread's heap, in MB */
  heap: number;
  /** what it may hold beside its heap: the file, and what is unpacked of it. Bytes */
  buffers: number;
  /** how long it may work, without the time in which it waits for the one who reads. Milliseconds */
  time: number;
}

const BOUNDS: Bounds = { heap: 512, buffers: 600_000_000, time: 120_000 };

/** How often the memory is looked at. Milliseconds: what unpacks fastest fills some 50 MB meanwhile. */
const WATCH = 100;

/**
 * The document's text in pieces of at most 64K characters, read only as fast as they are taken. The bytes are given
 * away. Throws UnreadableFile, or the signal's reason.
 */
export async function* readDocument(task: Task, signal: AbortSignal, bounds = BOUNDS): AsyncGenerator<string> {
  signal.throwIfAborted();
  const reading = new Reading(task, bounds);
  const stop = () => reading.fail(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    for (let text = await reading.next(); text !== undefined; text = await reading.next()) yield text;
  } finally {
    signal.removeEventListener("abort", stop);
    await reading.end();
  }
}

class Reading {
  readonly #worker: Worker;
  readonly #bounds: Bounds;
  readonly #watch: NodeJS.Timeout;
  readonly #pieces: string[] = [];
  #isDone = false;
  #failure: { error: unknown } | undefined;
  #wake = () => {};
  #worked = 0;

  constructor(task: Task, bounds: Bounds) {
    this.#bounds = bounds;
    this.#worker = new Worker(THREAD, {
      workerData: task,
      transferList: [task.bytes.buffer],
      resourceLimits: { maxOldGenerationSizeMb: bounds.heap },
      execArgv: [],
      // It reads what strangers wrote: it gets no secrets, and what the libraries print goes nowhere.
      env: {},
      stdout: true,
      stderr: true,
    });
    this.#worker.stdout.resume();
    this.#worker.stderr.resume();
    this.#worker.on("message", (message: FromThread) => this.#hear(message));
    this.#worker.on("error", (error: NodeJS.ErrnoException) => {
      const isFull = error.code === "ERR_WORKER_OUT_OF_MEMORY";
      this.fail(new UnreadableFile(isFull ? FILE_TOO_LARGE : FILE_NOT_PARSED, error.code ?? error.name));
    });
    this.#worker.on("exit", () => this.fail(new UnreadableFile(FILE_NOT_PARSED, "no end")));
    this.#watch = setInterval(() => void this.#look(), WATCH);
  }

  /** The next piece; undefined after the last. */
  async next(): Promise<string | undefined> {
    const started = performance.now();
    const late = () => this.fail(new UnreadableFile(FILE_NOT_PARSED, "time"));
    const timer = setTimeout(late, this.#bounds.time - this.#worked);
    try {
      while (this.#pieces.length === 0) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#isDone) return undefined;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#worker.postMessage("more");
      return this.#pieces.shift();
    } finally {
      clearTimeout(timer);
      this.#worked += performance.now() - started;
    }
  }

  /** The first failure counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.#worker.terminate();
  }

  #hear(message: FromThread): void {
    if ("text" in message) this.#pieces.push(message.text);
    else if ("isDone" in message) this.#isDone = true;
    else this.fail(new UnreadableFile(message.failure, message.reason));
    this.#wake();
  }

  /** The heap's bound does not count buffers. */
  async #look(): Promise<void> {
    const statistics = await this.#worker.getHeapStatistics().catch(() => undefined);
    if ((statistics?.external_memory ?? 0) <= this.#bounds.buffers) return;
    this.fail(new UnreadableFile(FILE_TOO_LARGE, "buffers"));
    await this.end();
  }
}
