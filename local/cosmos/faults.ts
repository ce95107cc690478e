import { randomNumbers } from "../random.ts";
import { batchError, type FaultAnswer, statusAnswer } from "./fault-answers.ts";
import {
  BATCH_FAULTS,
  COMMON_OPERATIONS,
  type FaultRule,
  type Moment,
  PAGE_FAULTS,
  STATUS_FAULTS,
} from "./fault-rules.ts";
import { Holds } from "./holds.ts";
import type { PageTrouble, Trouble } from "./request.ts";

export type { FaultRule } from "./fault-rules.ts";

/** What a rule has done so far, and how many requests it holds now. */
export interface FaultReport extends FaultRule {
  fired: number;
  held: number;
}

interface Hold {
  when: Moment;
  holds: Holds;
}

/** What is to be done to one request. */
export interface Strike {
  delayMs: number;
  answer?: FaultAnswer & { when: Moment };
  cut?: Moment;
  hold?: Hold;
  hang?: Hold;
  trouble?: Trouble;
}

/** What rules look at. */
export interface Target {
  operation: string;
  container: string;
  text: () => string;
}

interface ActiveRule {
  rule: FaultRule;
  /** When it was set, in milliseconds of a clock that only runs forward. */
  since: number;
  fired: number;
  holds: Holds;
}

const DEFAULT_LATENCY_MS = 100;

/** The injected faults, and the seeded chance by which they strike. */
export class Faults {
  #rules: ActiveRule[] = [];
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomNumbers(seed);
  }

  /** Replaces the rules and lets go of every request that the old ones hold. */
  set(rules: FaultRule[]): void {
    const old = this.#rules;
    const since = performance.now();
    this.#rules = rules.map((rule) => ({ rule, since, fired: 0, holds: new Holds() }));
    for (const { holds } of old) holds.release();
  }

  list(): FaultReport[] {
    return this.#rules.map(({ rule, fired, holds }) => ({ ...rule, fired, held: holds.size }));
  }

  /** Draws for a request. Delays and troubles of pages add up; of the others the first rule that strikes wins. */
  next(target: Target): Strike {
    const strike: Strike = { delayMs: 0 };
    for (const entry of this.#rules) {
      const { rule, fired, since } = entry;
      if (isSettled(strike) && !addsUp(rule)) continue;
      if (rule.times !== undefined && fired >= rule.times) continue;
      if (rule.forMs !== undefined && performance.now() - since >= rule.forMs) continue;
      if (!concerns(rule, target)) continue;
      if (this.#random() >= (rule.rate ?? 1)) continue;
      entry.fired++;
      apply(entry, strike);
    }
    return strike;
  }
}

const isSettled = ({ answer, cut, hold, hang, trouble }: Strike) =>
  [answer, cut, hold, hang, trouble?.inBatch].some((effect) => effect !== undefined);

const pageFault = ({ fault }: FaultRule) => PAGE_FAULTS.find((name) => name === fault);
const batchFault = ({ fault }: FaultRule) => BATCH_FAULTS.find((name) => name === fault);

const addsUp = (rule: FaultRule) => rule.fault === "latency" || pageFault(rule) !== undefined;

function operationsOf(rule: FaultRule): readonly string[] {
  const possible = pageFault(rule) ? ["query"] : batchFault(rule) ? ["batch", "bulk"] : undefined;
  const asked = rule.operations ?? (possible ? undefined : COMMON_OPERATIONS);
  if (!asked) return possible ?? [];
  return possible ? asked.filter((name) => possible.includes(name)) : asked;
}

function concerns(rule: FaultRule, target: Target): boolean {
  const { container, containing = [] } = rule;
  if (container !== undefined && container !== target.container) return false;
  if (!operationsOf(rule).includes(target.operation)) return false;
  return containing.length === 0 || containing.every((piece) => target.text().includes(piece));
}

function apply({ rule, holds }: ActiveRule, strike: Strike): void {
  const { fault, ms, when = "before", index } = rule;
  const status = STATUS_FAULTS.find((name) => name === fault);
  const inBatch = batchFault(rule);
  const page = pageFault(rule);
  if (status) strike.answer = { ...statusAnswer(status, rule), when };
  else if (inBatch) strike.trouble = { ...strike.trouble, inBatch: { error: batchError(inBatch, rule), index } };
  else if (page)
    strike.trouble = { ...strike.trouble, pages: { ...strike.trouble?.pages, ...pageTrouble(page, rule) } };
  else if (fault === "latency") strike.delayMs += ms ?? DEFAULT_LATENCY_MS;
  else if (fault === "hang") strike.hang = { when, holds };
  else if (fault === "cut-before" || fault === "cut-after") strike.cut = fault === "cut-before" ? "before" : "after";
  else strike.hold = { when: fault === "hold-before" ? "before" : "after", holds };
}

function pageTrouble(fault: (typeof PAGE_FAULTS)[number], { items = 1 }: FaultRule): PageTrouble {
  if (fault === "short-page") return { short: items };
  return fault === "empty-page" ? { empty: true } : { partial: true };
}
