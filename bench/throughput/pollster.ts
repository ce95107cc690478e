/**
 * Knows when it is worth looking at a run: after the time that runs have been taking. It learns from each answer, and
 * so needs little more than one look a run at any load, where a fixed pause would either come late or come too often.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { getRun, isUnderWay, type Run } from "../lib/runs.ts";
import type { Wire } from "../lib/wire.ts";

/** Milliseconds. */
const FIRST_GUESS = 20;
const SHORTEST_PAUSE = 2;

/** The pause before a further look, as a share of the time that the run has taken already. */
const AGAIN = 0.15;

/** How far the lanes together, each having looked at one run, move the guess towards the truth, or below it. */
const LATER = 0.5;
const SOONER = 0.03;

export class Pollster {
  /** When each look began and ended, in milliseconds on the clock of `Date`. */
  readonly looks: [from: number, to: number][] = [];
  readonly #lanes: number;
  #wait = FIRST_GUESS;

  /** For so many runs at a time: each answer tells of a guess that all of them made. */
  constructor(lanes: number) {
    this.#lanes = lanes;
  }

  /** Looks at the run, which has just been created or continued, until it has ended or needs something. */
  async settled(wire: Wire, threadId: string, run: Run): Promise<Run> {
    const started = performance.now();
    await sleep(this.#wait);
    let seen = await this.#look(wire, threadId, run.id);
    if (!isUnderWay(seen)) {
      this.#wait *= 1 - SOONER / this.#lanes;
      return seen;
    }
    while (isUnderWay(seen)) {
      await sleep(Math.max(SHORTEST_PAUSE, (performance.now() - started) * AGAIN));
      seen = await this.#look(wire, threadId, run.id);
    }
    this.#wait += ((performance.now() - started - this.#wait) * LATER) / this.#lanes;
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
