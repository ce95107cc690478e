import { Heap } from "./heap.ts";

/** A deadline that can be cancelled. */
export interface Deadline {
  readonly at: number;
  run: (() => void) | undefined;
}

/** Time as the engine sees it. All times are milliseconds since 1970. */
export interface Clock {
  now(): number;
  /** Calls `run` once, not before `at`. */
  at(at: number, run: () => void): Deadline;
  cancel(deadline: Deadline | undefined): void;
}

/** setTimeout takes at most 31 bits. */
const LONGEST_TIMEOUT = 0x7fffffff;

/**
 * The real time. One timer serves all deadlines: a queue with 100 000 locks and expiries would otherwise hold as many
 * timers.
 */
export class SystemClock implements Clock {
  readonly #heap = new Heap<Deadline>((a, b) => a.at < b.at);
  #cancelled = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  now(): number {
    return Date.now();
  }

  at(at: number, run: () => void): Deadline {
    const deadline: Deadline = { at, run };
    this.#heap.push(deadline);
    this.#arm();
    return deadline;
  }

  cancel(deadline: Deadline | undefined): void {
    if (!deadline?.run) return;
    deadline.run = undefined;
    this.#cancelled++;
    // Most deadlines are cancelled (messages are completed before their locks end): sweep when they are the majority.
    if (this.#cancelled > 1024 && this.#cancelled > this.#heap.size / 2) {
      this.#heap.keep((entry) => entry.run !== undefined);
      this.#cancelled = 0;
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#heap.keep(() => false);
  }

  #arm(): void {
    const next = this.#heap.peek();
    if (!next || next.at >= this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = next.at;
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(0, next.at - this.now()), LONGEST_TIMEOUT));
  }

  #fire(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    for (let next = this.#heap.peek(); next; next = this.#heap.peek()) {
      const { run } = next;
      if (run && next.at > this.now()) break;
      this.#heap.pop();
      next.run = undefined;
      if (run) run();
      else this.#cancelled--;
    }
    this.#arm();
  }
}
