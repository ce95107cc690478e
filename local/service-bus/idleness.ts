/**
 * Links and connections that are not used: the service ends both after a while, and clients have to open them again.
 */
import type { Clock, Deadline } from "./clock.ts";
import type { RheaLink } from "./rhea-internals.ts";

/** Milliseconds. */
export interface IdleLimits {
  /** Without a message, a settlement or new credit, even if a receiver waits on the link. */
  link: number;
  /** Without a link. */
  connection: number;
}

/** The service's: azure-sdk-for-java issue 25787. */
export const SERVICE_IDLE_LIMITS: IdleLimits = { link: 10 * 60_000, connection: 5 * 60_000 };

interface Endings {
  /** `limit` as the service writes it: `00:10:00`. */
  detach(link: RheaLink, limit: string): void;
  close(limit: number): void;
}

/** Of one connection. */
export class Idleness {
  readonly #clock: Clock;
  readonly #limits: IdleLimits;
  readonly #endings: Endings;
  /** The open links, and when each was used last. */
  readonly #used = new Map<RheaLink, number>();
  #deadline: Deadline | undefined;
  #emptySince: number;

  constructor(clock: Clock, limits: IdleLimits, endings: Endings) {
    this.#clock = clock;
    this.#limits = limits;
    this.#endings = endings;
    this.#emptySince = clock.now();
    this.#watch();
  }

  get linkCount(): number {
    return this.#used.size;
  }

  touch(link: RheaLink): void {
    // A settlement may come after its link is gone.
    if (link.is_open()) this.#used.set(link, this.#clock.now());
  }

  forget(link: RheaLink): void {
    if (this.#used.delete(link) && this.#used.size === 0) this.#emptySince = this.#clock.now();
  }

  stop(): void {
    this.#clock.cancel(this.#deadline);
  }

  /** One deadline at a time, for the ending that is due first; uses in the meantime are seen when it comes. */
  #watch(): void {
    const { link, connection } = this.#limits;
    const due = this.#used.size === 0 ? this.#emptySince + connection : Math.min(...this.#used.values()) + link;
    // A connection may lose its last link in the meantime.
    const next = Math.min(due, this.#clock.now() + Math.min(link, connection));
    this.#deadline = this.#clock.at(next, () => this.#end());
  }

  #end(): void {
    const now = this.#clock.now();
    const { link: limit, connection } = this.#limits;
    for (const [link, used] of this.#used) if (used + limit <= now) this.#endings.detach(link, timeSpan(limit));
    if (this.#used.size === 0 && this.#emptySince + connection <= now) this.#endings.close(connection);
    else this.#watch();
  }
}

function timeSpan(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(11, 19);
}
