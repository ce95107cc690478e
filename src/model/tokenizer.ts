/**
 * Counts tokens in a thread of its own, so that no text holds up what else this process does. The thread gets one slice
 * at a time: long texts take turns with each other, and every second turn belongs to the short ones.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { consoleLog } from "../log.ts";
import { SLICE, sliceEnd } from "./slices.ts";

/** Beside this file, in the sources, in what the compiler makes of them, and in the bundle (infra/bundle.ts). */
const THREAD = new URL(`tokenizer-thread${path.extname(import.meta.url)}`, import.meta.url);

/** Texts up to this length are short. Characters. */
const SHORT = 2_000;

/** What may wait to be counted: at worst it keeps the thread busy for some 30 seconds. Characters. */
const MAX_WAITING = 16_000_000;

/** How long counts are estimated after a thread has died without a single answer. Milliseconds. */
const RESTART_PAUSE = 10_000;

/** MB. It holds the tokenizer's tables, some 30 MB, and a slice. */
const MAX_HEAP = 256;

interface Job {
  text: string;
  /** where what is not counted yet begins */
  from: number;
  tokens: number;
  done(tokens: number): void;
}

/** A part of a job that the thread is counting. */
interface Turn {
  job: Job;
  to: number;
}

export class Tokenizer {
  readonly #thread: URL;
  readonly #short: Job[] = [];
  readonly #long: Job[] = [];
  #waiting = 0;
  #worker: Worker | undefined;
  #hasAnswered = false;
  #restartAt = 0;
  #turns: Turn[] = [];
  #wasShort = false;

  /** `thread`: the module that counts. */
  constructor(thread = THREAD) {
    this.#thread = thread;
  }

  /** The text's tokens; an estimate while too much text waits, or the thread cannot be had. Never rejects. */
  count(text: string): Promise<number> {
    if (text === "") return Promise.resolve(0);
    if (this.#waiting + text.length > MAX_WAITING) return Promise.resolve(estimatedTokens(text));
    this.#waiting += text.length;
    return new Promise((resolve) => {
      const job: Job = { text, from: 0, tokens: 0, done: resolve };
      (text.length <= SHORT ? this.#short : this.#long).push(job);
      this.#next();
    });
  }

  /** Ends the thread. The next count starts another. */
  async close(): Promise<void> {
    // An answer that comes all the same would have the next text counted by a thread that is ending.
    this.#worker?.removeAllListeners("message");
    await this.#worker?.terminate();
  }

  #next(): void {
    if (this.#turns.length > 0 || this.#short.length + this.#long.length === 0) return;
    const worker = this.#worker ?? this.#start();
    this.#turns = this.#nextTurns();
    if (worker === undefined) {
      this.#estimate();
      return;
    }
    worker.ref();
    worker.postMessage(this.#turns.map(({ job, to }) => job.text.slice(job.from, to)));
  }

  /** Several short texts, or a slice of a long one. */
  #nextTurns(): Turn[] {
    this.#wasShort = this.#short.length > 0 && (!this.#wasShort || this.#long.length === 0);
    if (!this.#wasShort) return this.#long.splice(0, 1).map((job) => ({ job, to: sliceEnd(job.text, job.from) }));
    let characters = 0;
    const more = this.#short.findIndex(({ text }) => {
      characters += text.length;
      return characters > SLICE;
    });
    return this.#short.splice(0, more < 0 ? this.#short.length : more).map((job) => ({ job, to: job.text.length }));
  }

  #counted(counts: number[]): void {
    const turns = this.#turns;
    this.#turns = [];
    for (const [index, { job, to }] of turns.entries()) {
      this.#waiting -= to - job.from;
      job.from = to;
      job.tokens += counts[index] ?? 0;
      if (to === job.text.length) job.done(job.tokens);
      else this.#long.push(job);
    }
  }

  #estimate(): void {
    this.#counted(this.#turns.map(({ job, to }) => estimatedTokens(job.text.slice(job.from, to))));
    // Not at once: an estimate must not hold up anything either.
    setImmediate(() => this.#next());
  }

  #start(): Worker | undefined {
    if (Date.now() < this.#restartAt) return undefined;
    const worker = new Worker(this.#thread, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP } });
    this.#worker = worker;
    this.#hasAnswered = false;
    worker.on("message", (counts: number[]) => {
      this.#hasAnswered = true;
      this.#counted(counts);
      if (this.#short.length + this.#long.length === 0) worker.unref();
      else this.#next();
    });
    worker.on("error", (error) => consoleLog.error("the thread that counts tokens died", { error }));
    worker.on("exit", () => this.#died());
    return worker;
  }

  /** What the thread was counting may be what killed it: that is estimated, the rest counted by the next thread. */
  #died(): void {
    this.#worker = undefined;
    if (!this.#hasAnswered) this.#restartAt = Date.now() + RESTART_PAUSE;
    this.#estimate();
  }
}

/**
 * A token for every three bytes: of English a third too many, of Chinese about right. A token has at least one byte, so
 * this is never less than a third of the true count.
 */
export const estimatedTokens = (text: string) => Math.ceil(Buffer.byteLength(text) / 3);
