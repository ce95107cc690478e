/**
 * Fairness between the tenants whose background runs wait in one queue. A worker takes so many wake-ups at a time, and no
 * tenant more of them than are still free (src/tenant-shares.ts). Further wake-ups of such a tenant are passed on to the
 * overflow queue, whose workers know no shares: that takes milliseconds, so the wake-ups of other tenants behind them do
 * not wait for the tenant's runs. Each wake-up is passed on once at the most.
 */
import { type WakeUp, wakeUp } from "../jobs/wake-ups.ts";
import { TenantShares } from "../tenant-shares.ts";

/** `maxConcurrentCalls` of host.json. */
export const WORKER_SLOTS = 64;

export interface FairWorkerParts {
  /** Does what is due for a run, until it pauses or ends. */
  handle(job: WakeUp): Promise<void>;
  /** Answers whether Service Bus has it. */
  passOn(job: WakeUp): Promise<boolean>;
}

export class FairWorker {
  readonly #shares: TenantShares;
  readonly #parts: FairWorkerParts;

  /** `tenants`: how many share the workers; one alone has all of them. */
  constructor(tenants: number, parts: FairWorkerParts, slots = WORKER_SLOTS) {
    this.#shares = new TenantShares(slots, tenants);
    this.#parts = parts;
  }

  async handle(message: unknown): Promise<void> {
    const job = wakeUp.parse(message);
    if (!this.#shares.take(job.tenant)) {
      // What cannot be passed on is done here: late for the others is better than never.
      if (!(await this.#parts.passOn(job))) await this.#parts.handle(job);
      return;
    }
    try {
      await this.#parts.handle(job);
    } finally {
      this.#shares.give(job.tenant);
    }
  }
}
