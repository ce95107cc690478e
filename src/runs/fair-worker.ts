/**
 * Fairness between the tenants whose background runs wait in one queue. A worker takes so many wake-ups at a time, and
 * no tenant more of them than are still free (src/tenant-shares.ts). Further wake-ups of such a tenant are passed on to
 * the overflow queue, whose workers know no shares: that takes milliseconds, so the wake-ups of other tenants behind
 * them do not wait for the tenant's runs. Each wake-up is passed on once at the most.
 */
import { z } from "zod";
import { TenantShares } from "../tenant-shares.ts";

/** `maxConcurrentCalls` of host.json. */
export const WORKER_SLOTS = 64;

export interface FairWorkerParts {
  /** Does what a wake-up of whatever kind asks for. */
  handle(message: unknown): Promise<void>;
  /** Answers whether Service Bus has it. */
  passOn(message: TenantsWakeUp): Promise<boolean>;
}

/** Wake-ups of all kinds name their tenant; what else they hold is passed on as it came. */
const tenantsWakeUp = z.looseObject({ tenant: z.string() });
export type TenantsWakeUp = z.output<typeof tenantsWakeUp>;

/**
 * For duplicate detection: wake-ups that differ in anything have different ids, of whatever kind they are. `now` in
 * milliseconds.
 */
export const overflowId = (job: TenantsWakeUp, now: number) => `${JSON.stringify(job)}/overflow/${now}`;

export class FairWorker {
  readonly #shares: TenantShares;
  readonly #parts: FairWorkerParts;

  /** `tenants`: how many share the workers; one alone has all of them. */
  constructor(tenants: number, parts: FairWorkerParts, slots = WORKER_SLOTS) {
    this.#shares = new TenantShares(slots, tenants);
    this.#parts = parts;
  }

  async handle(message: unknown): Promise<void> {
    const job = tenantsWakeUp.safeParse(message);
    if (!job.success) return this.#parts.handle(message);
    const { tenant } = job.data;
    if (!this.#shares.take(tenant)) {
      // What cannot be passed on is done here: late for the others is better than never.
      if (!(await this.#parts.passOn(job.data))) await this.#parts.handle(message);
      return;
    }
    try {
      await this.#parts.handle(message);
    } finally {
      this.#shares.give(tenant);
    }
  }
}
