/**
 * What one instance holds at a time. It grows with its clients up to here and no further: who comes then is told so at
 * once (429), before anything is read or written.
 */
import { overloaded } from "../resources/errors.ts";

export interface LoadLimits {
  /** requests under way, streams aside */
  requests: number;
  /** streams that are open, or whose runs are still driven here though their clients have left */
  streams: number;
}

/** Gives back what `enter` has taken. */
export type Leave = () => void;

/** Seconds: a request takes some milliseconds, a run's stream some seconds. */
const RETRY_AFTER = { requests: 1, streams: 5 };

export class Load {
  readonly #limits: LoadLimits;
  readonly #held = { requests: 0, streams: 0 };
  #refused = 0;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
  }

  /** Takes one place; throws 429 if there is none. */
  enter(what: keyof LoadLimits): Leave {
    if (this.#held[what] >= this.#limits[what]) {
      this.#refused += 1;
      throw overloaded(RETRY_AFTER[what]);
    }
    this.#held[what] += 1;
    return () => {
      this.#held[what] -= 1;
    };
  }

  /** What is held now, and how many have been refused since the start. */
  report() {
    return { ...this.#held, refused: this.#refused };
  }
}
