/**
 * Knows when it is worth looking at a run: after the time that runs have been taking. It learns from each answer, and
 * so needs little more than one look a run at any load, where a fixed pause would either come late or come too often.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { getRun, isUnderWay, type Run } from "../lib/runs.ts";
import type { Wire } from "../lib/wire.ts";

/** Milliseconds for each run under way: a first guess that is far too low would drown the app in looks. */
const FIRST_GUESS = 8;
const SHORTEST_PAUSE = 2;

/** The pause before a further look, as a share of the time that the run has taken already. */
const AGAIN = 0.15;

/** How far the lanes together, each having looked at one run, move the guess towards the truth, or below it. */
const LATER = 0.5;
const SOONER = 0.03;

/** A run found done tells only that the guess is not too low: one look of these comes at half the time, to find out. */
const EARLY_LOOKS = 8;
/** How far the early looks together move the guess, if the runs were done by then. */
const MUCH_SOONER = 0.3;

export class Pollster {
  /** When each look began and ended, in milliseconds on the clock of `Date`. */
  readonly looks: [from: number, to: number][] = [];
  readonly #lanes: number;
  #wait: number;
  #runs = 0;

  /** For so many runs at a time: each answer tells of a guess that all of them made. */
  constructor(lanes: number) {
    this.#lanes = lanes;
    this.#wait = FIRST_GUESS * lanes;
  }

  /** Looks at the run, which has just been created or continued, until it has ended or needs something. */
  async settled(wire: Wire, threadId: string, run: Run): Promise<Run> {
    const started = performance.now();
    this.#runs += 1;
    const isEarly = this.#runs % EARLY_LOOKS === 0;
    await sleep(isEarly ? this.#wait / 2 : this.#wait);
    let seen = await this.#look(wire, threadId, run.id);
    if (!isUnderWay(seen)) {
      const share = isEarly ? Math.min(0.5, (MUCH_SOONER * EARLY_LOOKS) / this.#lanes) : SOONER / this.#lanes;
      this.#wait *= 1 - share;
      return seen;
    }
    while (isUnderWay(seen)) {
      await sleep(Math.max(SHORTEST_PAUSE, (performance.now() - started) * AGAIN));
      seen = await this.#look(wire, threadId, run.id);
    }
    // An early look that came too early says nothing new.
    if (!isEarly) this.#wait += ((performance.now() - started - this.#wait) * LATER) / this.#lanes;
    return seen;
  }

  async #look(wire: Wire, threadId: string, runId: string): Promise<Run> {
    const from = now();
    const run = await getRun(wire, threadId, runId);
    this.looks.push([from, now()]);
    return run;
  }
}

const now = () => performance.timeOrigin + performance.now();
