/**
 * How far the workers are behind: runs that somebody should have looked at, and nobody has. While there are too many of
 * them, no more background runs are taken.
 */
import { overloaded } from "../resources/errors.ts";
import type { Store } from "../store/store.ts";

/** How old the number may be. One cheap query an instance in this time, and only while runs are created. Milliseconds. */
const FRESH = 10_000;

/** Seconds. */
const RETRY_AFTER = 10;

export class Backlog {
  readonly #store: Store;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #failed: (error: unknown) => void;
  #overdue = 0;
  #countedAt: number;

  /** `failed` hears of counts that did not work: then the last number stays. */
  constructor(store: Store, limit: number, now: () => number, failed: (error: unknown) => void) {
    this.#store = store;
    this.#limit = limit;
    this.#now = now;
    this.#failed = failed;
    this.#countedAt = now();
  }

  /** Throws 429 while too many runs wait. Nobody waits for the count: it is for those who come next. */
  admit(): void {
    const now = this.#now();
    if (now - this.#countedAt >= FRESH) {
      this.#countedAt = now;
      void this.#count(now);
    }
    if (this.#overdue > this.#limit) throw overloaded(RETRY_AFTER);
  }

  async #count(now: number): Promise<void> {
    try {
      this.#overdue = await this.#store.countOverdue(now);
    } catch (error) {
      this.#failed(error);
    }
  }
}
