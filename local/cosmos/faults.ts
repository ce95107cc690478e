import { badRequest, type CosmosError, serviceUnavailable, tooManyRequests } from "./errors.ts";
import { Holds } from "./holds.ts";
import { isObject, type Value } from "./sql/values.ts";

/**
 * "before" and "after" say whether the operation is done. A held request waits until the rules are replaced; one that was
 * held before its operation and whose client has died meanwhile is forgotten, as if it had never arrived.
 */
export const FAULTS = ["429", "503", "latency", "cut-before", "cut-after", "hold-before", "hold-after"] as const;
export const FAULT_OPERATIONS = ["create", "replace", "patch", "batch", "query", "read", "delete", "upsert"] as const;

export type Fault = (typeof FAULTS)[number];
export type FaultOperation = (typeof FAULT_OPERATIONS)[number];

export interface FaultRule {
  fault: Fault;
  /** The share of the matching requests that it strikes; 1 unless given. */
  rate?: number;
  /** How often it strikes before it is spent; without end unless given. */
  times?: number;
  /** All unless given. */
  operations?: FaultOperation[];
  /** All unless given. */
  container?: string;
  /** Only requests that have all of these texts in their path, partition key or body. */
  containing?: string[];
  /** The delay of `latency` (100 unless given), or what 429 asks the client to wait (10 unless given). */
  ms?: number;
}

/** What a rule has done so far, and how many requests it holds now. */
export interface FaultReport extends FaultRule {
  fired: number;
  held: number;
}

type Moment = "before" | "after";

/** What is to be done to one request. */
export interface Strike {
  delayMs: number;
  error?: CosmosError;
  cut?: Moment;
  hold?: { when: Moment; holds: Holds };
}

/** What rules look at. */
export interface Target {
  operation: string;
  container: string;
  text: () => string;
}

const DEFAULT_LATENCY_MS = 100;
const DEFAULT_RETRY_AFTER_MS = 10;

/** The injected faults, and the seeded chance by which they strike. */
export class Faults {
  #rules: ActiveRule[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** Replaces the rules and lets go of every request that the old ones hold. */
  set(rules: FaultRule[]): void {
    const old = this.#rules;
    this.#rules = rules.map((rule) => ({ rule, fired: 0, holds: new Holds() }));
    for (const { holds } of old) holds.release();
  }

  list(): FaultReport[] {
    return this.#rules.map(({ rule, fired, holds }) => ({ ...rule, fired, held: holds.size }));
  }

  /** Draws for a request. Delays add up; of the others the first rule that strikes wins. */
  next(target: Target): Strike {
    const strike: Strike = { delayMs: 0 };
    for (const entry of this.#rules) {
      const { rule, fired } = entry;
      const settled = strike.error !== undefined || strike.cut !== undefined || strike.hold !== undefined;
      if (settled && rule.fault !== "latency") continue;
      if (rule.times !== undefined && fired >= rule.times) continue;
      if (!concerns(rule, target)) continue;
      if (this.#random() >= (rule.rate ?? 1)) continue;
      entry.fired++;
      apply(entry, strike);
    }
    return strike;
  }

  /** Mulberry32: small, and the same sequence for the same seed. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

interface ActiveRule {
  rule: FaultRule;
  fired: number;
  holds: Holds;
}

function concerns(
  { container, operations = [...FAULT_OPERATIONS], containing = [] }: FaultRule,
  target: Target,
): boolean {
  if (container !== undefined && container !== target.container) return false;
  if (!operations.some((name) => name === target.operation)) return false;
  return containing.length === 0 || containing.every((piece) => target.text().includes(piece));
}

function apply({ rule: { fault, ms }, holds }: ActiveRule, strike: Strike): void {
  switch (fault) {
    case "latency":
      strike.delayMs += ms ?? DEFAULT_LATENCY_MS;
      break;
    case "429":
      strike.error = tooManyRequests(ms ?? DEFAULT_RETRY_AFTER_MS);
      break;
    case "503":
      strike.error = serviceUnavailable();
      break;
    case "cut-before":
      strike.cut = "before";
      break;
    case "cut-after":
      strike.cut = "after";
      break;
    case "hold-before":
      strike.hold = { when: "before", holds };
      break;
    case "hold-after":
      strike.hold = { when: "after", holds };
      break;
  }
}

/** Checks a list of rules; throws 400 with what is wrong, because a fault that never strikes proves nothing. */
export function parseRules(body: Value): FaultRule[] {
  if (!Array.isArray(body)) throw badRequest("The faults must be a JSON array of rules.");
  return body.map((rule, i) => {
    if (!isObject(rule)) throw badRequest(`Fault ${i}: not an object.`);
    const unknown = Object.keys(rule).find(
      (name) => !["fault", "rate", "times", "operations", "container", "containing", "ms"].includes(name),
    );
    if (unknown !== undefined) throw badRequest(`Fault ${i}: unknown property '${unknown}'.`);
    return parseRule(rule, i);
  });
}

function parseRule(given: { [name: string]: Value }, i: number): FaultRule {
  const { fault, rate, times, operations, container, containing, ms } = given;
  const known = FAULTS.find((name) => name === fault);
  if (!known) throw badRequest(`Fault ${i}: 'fault' must be one of ${FAULTS.join(", ")}.`);
  const rule: FaultRule = { fault: known };
  if (rate !== undefined) rule.rate = numberWithin(rate, 1, `Fault ${i}: 'rate' must be a number from 0 to 1.`);
  if (times !== undefined) rule.times = numberWithin(times, Infinity, `Fault ${i}: 'times' must be a number.`);
  if (ms !== undefined) rule.ms = numberWithin(ms, Infinity, `Fault ${i}: 'ms' must be a number.`);
  if (container !== undefined) {
    if (typeof container !== "string") throw badRequest(`Fault ${i}: 'container' must be a name.`);
    rule.container = container;
  }
  if (containing !== undefined) {
    if (!Array.isArray(containing)) throw badRequest(`Fault ${i}: 'containing' must be an array of texts.`);
    rule.containing = containing.map((piece) => {
      if (typeof piece !== "string") throw badRequest(`Fault ${i}: 'containing' must be an array of texts.`);
      return piece;
    });
  }
  if (operations !== undefined) {
    if (!Array.isArray(operations)) throw badRequest(`Fault ${i}: 'operations' must be an array.`);
    rule.operations = operations.map((operation) => {
      const name = FAULT_OPERATIONS.find((candidate) => candidate === operation);
      if (!name) throw badRequest(`Fault ${i}: 'operations' may have ${FAULT_OPERATIONS.join(", ")}.`);
      return name;
    });
  }
  return rule;
}

function numberWithin(value: Value, most: number, message: string): number {
  if (typeof value !== "number" || value < 0 || value > most) throw badRequest(message);
  return value;
}
