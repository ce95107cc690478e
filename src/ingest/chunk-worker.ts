/**
 * Cuts texts in a thread, since loading the tokenizer alone would hold up this process for some hundred milliseconds.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { FromThread, ToThread } from "./chunk-messages.ts";

/** Beside this file, in the sources, in what the compiler makes of them, and in the bundle (infra/bundle.ts). */
const THREAD = new URL(`chunk-thread${path.extname(import.meta.url)}`, import.meta.url);

/** MB. It holds the tokenizer's tables, some 60 MB, and the ends of some texts. */
const MAX_HEAP = 256;

/** How long the thread waits for another text before it ends. Milliseconds. */
const IDLE = 60_000;

const ENDED = "the thread that cuts texts ended";

interface Waiting {
  worker: Worker;
  resolve(answer: FromThread): void;
  reject(error: Error): void;
}

export class ChunkWorker {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  readonly #waiting = new Map<number, Waiting>();
  /** the threads of texts that have begun and are not over */
  readonly #open = new Map<number, Worker>();

  /** Rejects if the thread dies, with all that it has of this text; or has died since the piece before. */
  ask({ text, sizes, piece }: ToThread): Promise<FromThread> {
    const holder = this.#open.get(text);
    if (holder !== undefined && holder !== this.#worker) {
      this.#open.delete(text);
      return Promise.reject(new Error(ENDED));
    }
    clearTimeout(this.#idle);
    const worker = holder ?? this.#worker ?? this.#start();
    if (piece === undefined) this.#open.delete(text);
    else this.#open.set(text, worker);
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(text, { worker, resolve, reject });
      worker.postMessage({ text, sizes, piece } satisfies ToThread);
    });
  }

  /** Ends the thread. The next text starts another. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(THREAD, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP } });
    let failure = new Error(ENDED);
    worker.on("message", (answer: FromThread) => this.#hear(worker, answer));
    worker.on("error", (error) => {
      failure = new Error("the thread that cuts texts died", { cause: error });
    });
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
      const lost = [...this.#waiting].filter(([, waiting]) => waiting.worker === worker);
      for (const [text, { reject }] of lost) {
        this.#waiting.delete(text);
        reject(failure);
      }
    });
    this.#worker = worker;
    return worker;
  }

  #hear(worker: Worker, answer: FromThread): void {
    const waiting = this.#waiting.get(answer.text);
    this.#waiting.delete(answer.text);
    if (this.#waiting.size === 0) worker.unref();
    if (this.#waiting.size + this.#open.size === 0) this.#idle = setTimeout(() => void this.close(), IDLE).unref();
    waiting?.resolve(answer);
  }
}
