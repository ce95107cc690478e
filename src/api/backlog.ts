/**
 * How far the workers are behind: runs that a worker should have looked at, and none has. While there are too many, the
 * tenants whose runs they are get no more background runs (429); the other tenants do.
 */
import { overloaded } from "../resources/errors.ts";
import type { Waiting, WaitingRuns } from "../store/waiting.ts";

/**
 * How old the count may be. One cheap query an instance in this time, and only while runs are created. Milliseconds.
 */
const FRESH = 10_000;

/** Seconds. */
const RETRY_AFTER = 10;

export class Backlog {
  readonly #runs: Pick<WaitingRuns, "count">;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #failed: (error: unknown) => void;
  #waiting: Waiting = { total: 0, byTenant: new Map() };
  #countedAt: number;

  /** `failed` hears of counts that did not work: then the last one stays. */
  constructor(runs: Pick<WaitingRuns, "count">, limit: number, now: () => number, failed: (error: unknown) => void) {
    this.#runs = runs;
    this.#limit = limit;
    this.#now = now;
    this.#failed = failed;
    this.#countedAt = now();
  }

  /** Throws 429 while too many runs of the tenant wait. No request waits for the count: it is for those that follow. */
  admit(tenant: string): void {
    const now = this.#now();
    if (now - this.#countedAt >= FRESH) {
      this.#countedAt = now;
      void this.#count(now);
    }
    if (this.#isFlooding(tenant)) throw overloaded(RETRY_AFTER);
  }

  /** The limit is shared equally by the tenants that wait. If all keep to their share, the limit is kept, too. */
  #isFlooding(tenant: string): boolean {
    const { total, byTenant } = this.#waiting;
    return total > this.#limit && (byTenant.get(tenant) ?? 0) > this.#limit / byTenant.size;
  }

  async #count(now: number): Promise<void> {
    try {
      this.#waiting = await this.#runs.count(now, this.#limit);
    } catch (error) {
      this.#failed(error);
    }
  }
}
