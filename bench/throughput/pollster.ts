/**
 * Looks at runs until they have ended. It waits as long as runs have been taking, which it learns from each answer, and
 * so needs little more than one look a run at any load; a fixed pause would be too long at one load and too short at
 * another.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { getRun, isUnderWay, type Run } from "../lib/runs.ts";
import type { Wire } from "../lib/wire.ts";

/** The first wait, in milliseconds for each lane. Much less would flood the app with looks. */
const FIRST_GUESS = 8;
const SHORTEST_PAUSE = 2;

/** The pause before a further look, as a share of the time that the run has taken already. */
const AGAIN = 0.15;

/** By which share one look of each lane together lengthens the wait, towards the time taken, or shortens it. */
const LATER = 0.5;
const SOONER = 0.03;

/** One look of this many comes after half the wait: a run that has ended by then shows that the wait was too long. */
const EARLY_LOOKS = 8;
/** By which share the early looks of all lanes together shorten the wait, if their runs had ended. */
const MUCH_SOONER = 0.3;

export class Pollster {
  /** When each look began and ended, in milliseconds on the clock of `Date`. */
  readonly looks: [from: number, to: number][] = [];
  readonly #lanes: number;
  #wait: number;
  #runs = 0;

  /** `lanes`: how many runs are under way at a time, all with the same wait. */
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
    // An early look at a run that had not ended says nothing about the wait.
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
