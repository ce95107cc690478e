/** Injected faults: rules that make the broker misbehave in the ways that real networks and services do. */
import { z } from "zod";
import { randomNumbers } from "../random.ts";

const ruleSchema = z.strictObject({
  /**
   * `hold`: what is sent is stored, but its sender gets no answer before the rules are replaced. `cut`, `close` and
   * `detach`: at a send or a delivery the socket, the AMQP connection or the link ends. `server-busy`: sends, new links
   * and management requests are refused, as by a throttled namespace; `send-error`: sends alone.
   */
  fault: z.enum([
    "drop",
    "double",
    "delay",
    "cut",
    "close",
    "detach",
    "send-error",
    "server-busy",
    "expire-lock",
    "hold",
  ]),
  /** Probability from 0 to 1. */
  rate: z.number().min(0).max(1),
  /** The rule ends after it has struck so often. */
  times: z.int().min(1).optional(),
  /** Only this queue; otherwise all of them. */
  queue: z.string().optional(),
  /** Only sends that have this text in their bytes; for `hold`. */
  containing: z.string().optional(),
  /** Milliseconds: of the delay, or until the lock ends. */
  ms: z.int().min(0).optional(),
});

export const rulesSchema = z.array(ruleSchema);
export type FaultRule = z.infer<typeof ruleSchema>;
export type Fault = FaultRule["fault"];

export class Faults {
  #rules: (FaultRule & { struck: number })[] = [];
  #releases: (() => void)[] = [];
  readonly #seed: number;
  #random: () => number;

  /** The same seed and the same order of events make the same choices. */
  constructor(seed: number) {
    this.#seed = seed;
    this.#random = randomNumbers(seed);
  }

  /** Replaces all rules and starts the random numbers again. */
  replace(rules: readonly FaultRule[], seed = this.#seed): void {
    this.#rules = rules.map((rule) => ({ ...rule, struck: 0 }));
    this.#random = randomNumbers(seed);
    for (const release of this.#releases.splice(0)) release();
  }

  /** Calls `answer`, now or, if a rule holds this send, when the rules are replaced. */
  answerSend(queue: string, bytes: Buffer, answer: () => void): void {
    if (this.strike("hold", queue, bytes) === undefined) answer();
    else this.#releases.push(answer);
  }

  /** The rules, each with the number of times that it has struck. */
  list(): readonly (FaultRule & { struck: number })[] {
    return this.#rules;
  }

  /** Whether the fault happens now, at this queue; the rule that decided it. */
  strike(fault: Fault, queue: string, sent?: Buffer): FaultRule | undefined {
    for (const rule of this.#rules) {
      if (rule.fault !== fault || rule.struck >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      if (rule.queue !== undefined && rule.queue.toLowerCase() !== queue.toLowerCase()) continue;
      if (rule.containing !== undefined && sent?.includes(rule.containing) !== true) continue;
      if (this.#random() >= rule.rate) continue;
      rule.struck++;
      return rule;
    }
    return undefined;
  }

  /** A fair coin from the same random numbers, for faults that have two forms. */
  coin(): boolean {
    return this.#random() < 0.5;
  }
}
