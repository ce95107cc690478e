import { tooManyRequests } from "./errors.ts";
import { SERVERLESS_THROUGHPUT, type Settings } from "./settings.ts";

/** What a container was given: request units per second, manual or the maximum of autoscale. */
export interface Offer {
  throughput: number;
  autoscale: boolean;
}

/** What a container gets that is created without a word about it. */
export const defaultOffer = ({ capacity, throughput, autoscale }: Settings): Offer | undefined =>
  capacity === "provisioned" ? { throughput, autoscale } : undefined;

/**
 * The request units per second of one physical partition; undefined for no limit. The throughput of a container is
 * shared out evenly between its physical partitions, so a hot one is throttled while the others are idle.
 */
export function limitOf(offer: Offer | undefined, ranges: number, settings: Settings): number | undefined {
  if (settings.capacity === "serverless") return SERVERLESS_THROUGHPUT;
  const throughput = (offer ?? defaultOffer(settings))?.throughput;
  return throughput === undefined ? undefined : throughput / ranges;
}

interface Bucket {
  perSecond: number;
  balance: number;
  updated: number;
}

/** What is left of each physical partition's request units. */
export class Throughput {
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Throws 429 while earlier requests have used up more than there is; a single request may overdraw, as in the
   * service.
   */
  check(range: string, perSecond: number | undefined): void {
    if (perSecond === undefined) return;
    const now = this.#now();
    let bucket = this.#buckets.get(range);
    if (bucket?.perSecond !== perSecond) {
      bucket = { perSecond, balance: perSecond, updated: now };
      this.#buckets.set(range, bucket);
    }
    bucket.balance = Math.min(perSecond, bucket.balance + ((now - bucket.updated) / 1000) * perSecond);
    bucket.updated = now;
    if (bucket.balance < 0) throw tooManyRequests(Math.ceil((-bucket.balance / perSecond) * 1000) + 1);
  }

  spend(range: string, charge: number): void {
    const bucket = this.#buckets.get(range);
    if (bucket) bucket.balance -= charge;
  }
}
