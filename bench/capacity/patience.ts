/** A client that takes 429 for what it is: it asks again after the time that the answer says, however often. */
import { setTimeout as sleep } from "node:timers/promises";
import { createRun, getRun, isUnderWay } from "../lib/runs.ts";
import { Refused, type Wire } from "../lib/wire.ts";

/** How often a client looks at a background run. Milliseconds. */
const POLL = 500;

export class PatientClient {
  readonly #wire: Wire;
  readonly #assistant: string;
  #refusals = 0;

  constructor(wire: Wire, assistant: string) {
    this.#wire = wire;
    this.#assistant = assistant;
  }

  /** How often it was answered 429. */
  get refusals(): number {
    return this.#refusals;
  }

  /** The status in which a background run on this thread ends. */
  async background(thread: string): Promise<string> {
    const run = await this.#ask(() => createRun(this.#wire, thread, { assistant_id: this.#assistant }));
    return this.#ended(thread, run.id);
  }

  /** The same for a streamed one. A stream that broke off is looked after. */
  async streamed(thread: string): Promise<string> {
    const body = { assistant_id: this.#assistant, stream: true };
    const { text } = await this.#ask(
      async () => (await this.#wire.stream("POST", `threads/${thread}/runs`, body)).ended,
    );
    if (text.includes("event: thread.run.completed")) return "completed";
    const run = /"id":"(run_[^"]+)"/.exec(text)?.[1];
    return run === undefined ? "not created" : this.#ended(thread, run);
  }

  async #ended(thread: string, run: string): Promise<string> {
    for (;;) {
      await sleep(POLL);
      const seen = await this.#ask(() => getRun(this.#wire, thread, run));
      if (!isUnderWay(seen)) return seen.status;
    }
  }

  async #ask<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 429) throw error;
        this.#refusals += 1;
        await sleep(error.retryAfter * 1000);
      }
    }
  }
}
