import { tooManyRequests } from "./errors.ts";

/** The request units per second that a container was given; without any, it has no limit (as "serverless"). */
export class Throughput {
  #perSecond: number | undefined;
  readonly #now: () => number;
  #balance = 0;
  #updated: number;

  constructor(perSecond: number | undefined, now: () => number) {
    this.#now = now;
    this.#updated = now();
    this.#perSecond = perSecond;
    this.#balance = perSecond ?? 0;
  }

  get limit(): number | undefined {
    return this.#perSecond;
  }

  set(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#balance = perSecond;
  }

  /** Throws 429 while earlier requests have used up more than there is; a single request may overdraw, as in the service. */
  check(): void {
    if (this.#perSecond === undefined) return;
    const now = this.#now();
    this.#balance = Math.min(this.#perSecond, this.#balance + ((now - this.#updated) / 1000) * this.#perSecond);
    this.#updated = now;
    if (this.#balance < 0) throw tooManyRequests(Math.ceil((-this.#balance / this.#perSecond) * 1000) + 1);
  }

  spend(charge: number): void {
    this.#balance -= charge;
  }
}
