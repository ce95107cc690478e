/**
 * Knows when it is worth looking at a run: after the time that runs have been taking. It learns from each answer, and
 * so needs little more than one look a run at any load, where a fixed pause would either come late or come too often.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { getRun, isUnderWay, type Run } from "../lib/runs.ts";
import type { Wire } from "../lib/wire.ts";

const FIRST_GUESS = 20;
/** Four looks of five shall find the run done: then both corrections, as often as they come, cancel out. */
const TOO_SOON = 1.04;
const DONE = 0.99;
/** Milliseconds between looks after the first, as a share of the wait before it. */
const AGAIN = 0.15;

export class Pollster {
  polls = 0;
  #wait = FIRST_GUESS;

  /** Looks at the run until it has ended or needs something. */
  async settled(wire: Wire, threadId: string, run: Run): Promise<Run> {
    await sleep(this.#wait);
    let seen = await this.#look(wire, threadId, run.id);
    this.#wait *= isUnderWay(seen) ? TOO_SOON : DONE;
    while (isUnderWay(seen)) {
      await sleep(Math.max(2, this.#wait * AGAIN));
      seen = await this.#look(wire, threadId, run.id);
    }
    return seen;
  }

  #look(wire: Wire, threadId: string, runId: string): Promise<Run> {
    this.polls += 1;
    return getRun(wire, threadId, runId);
  }
}
