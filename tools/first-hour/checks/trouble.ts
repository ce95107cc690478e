/** What becomes of runs while the app is deployed, and while the store is out of reach. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Check, type Outcome, outcomeOf } from "../check.ts";
import type { Place } from "../place.ts";

/** Between two runs of the load. Milliseconds. */
const PACE = 250;
/** Every so many runs, one is streamed. */
const STREAMED = 4;
/** How long the operator has. Milliseconds. */
const BY_HAND = 150_000;
/** A run's lease, a sweep, a start: then it must have ended. Milliseconds. */
const LONGEST_END = 120_000;
/** Milliseconds. */
const LONGEST_ANSWER = 15_000;
const BLOCKED = 1_500;

const deployment: Check = {
  number: 18,
  title: "a new version is deployed while runs go",
  why: "an instance that stops hands its runs to others",
  expected: `all runs complete, no request takes longer than ${LONGEST_ANSWER / 1000} s`,
  onlyOnAzure: "several instances that change one after the other; locally the only one restarts",
  writes: true,
  run: (place) =>
    underLoad(
      place,
      place.surroundings.restartApp,
      "deploy the app again (az functionapp deployment source config-zip)",
    ),
};

const outage: Check = {
  number: 23,
  title: "the store is out of reach",
  why: "trouble that passes must not fail a run, and must not make requests hang",
  expected: `5xx within ${LONGEST_ANSWER / 1000} s, no run failed, all complete afterwards`,
  onlyOnAzure: "a blocked account; locally Cosmos DB answers 503",
  writes: true,
  run: (place) => {
    const { blockStore } = place.surroundings;
    const byHand = "block the account for 60 s (az cosmosdb update --public-network-access DISABLED, then ENABLED)";
    return underLoad(place, blockStore && (() => blockStore(BLOCKED)), byHand);
  },
};

async function underLoad(place: Place, disturb: (() => Promise<void>) | undefined, byHand: string): Promise<Outcome> {
  const { askOperator } = place;
  if (disturb === undefined && askOperator === undefined) return { got: `needs --by-hand: ${byHand}` };
  const load = new Load(place);
  await load.begin();
  try {
    // Some runs are under way when it begins.
    await sleep(4 * PACE);
    if (disturb !== undefined) await disturb();
    else {
      askOperator?.(`Within ${BY_HAND / 1000} s: ${byHand}`);
      await sleep(BY_HAND, undefined, { signal: place.stopping.signal });
    }
  } finally {
    await load.end();
  }
  return load.outcome();
}

/** Runs that come one after the other, whatever becomes of them. */
class Load {
  readonly #place: Place;
  readonly #refs: { thread: string; run: string }[] = [];
  readonly #streams: Promise<void>[] = [];
  #assistant = "";
  #going: Promise<void> | undefined;
  #isOver = false;
  #refused = 0;
  #longest = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  async begin(): Promise<void> {
    const name = `${this.#place.name}-load`;
    const { scriptModel } = this.#place.surroundings;
    await scriptModel?.(name, { text: Array(10).fill("word "), tokenMs: 50 });
    this.#assistant = await this.#place.app.assistant(scriptModel === undefined ? this.#place.model : name);
    this.#going = this.#go();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#going;
    await Promise.all(this.#streams);
  }

  async #go(): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const started = performance.now();
      try {
        const thread = await this.#place.app.thread("Say hello.");
        if (number % STREAMED === 0) this.#streams.push(this.#stream(thread));
        else this.#refs.push(await this.#place.app.runOn(thread, this.#assistant));
      } catch {
        this.#refused += 1;
      }
      this.#longest = Math.max(this.#longest, performance.now() - started);
      await sleep(PACE);
    }
  }

  /** Its client hears an error, or nothing more; the run itself must end well. */
  async #stream(thread: string): Promise<void> {
    let text = "";
    try {
      for await (const piece of this.#place.app.stream(this.#assistant, thread)) text += piece.text;
    } catch {
      // The connection broke, or the request was refused.
    }
    const run = /"id":\s*"(run_[^"]+)"/.exec(text)?.[1];
    if (run !== undefined) this.#refs.push({ thread, run });
    else this.#refused += 1;
  }

  async outcome(): Promise<Outcome> {
    const counts = new Map<string, number>();
    for (const ref of this.#refs) {
      const status = await this.#place.app.ending(ref, LONGEST_END);
      counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    const problems = [...counts]
      .filter(([status]) => status !== "completed")
      .map(([status, count]) => `${count} runs ${status}`);
    if (!counts.has("completed")) problems.push("no run completed");
    const longest = `longest answer ${(this.#longest / 1000).toFixed(1)} s`;
    if (this.#longest > LONGEST_ANSWER) problems.push(longest);
    return outcomeOf(problems, `${counts.get("completed")} completed, ${this.#refused} requests refused, ${longest}`);
  }
}

export const troubleChecks = [deployment, outage];
