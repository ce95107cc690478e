import { badRequest } from "./errors.ts";
import { isObject, type JsonObject, type Value } from "./sql/values.ts";

/** Answers with an error instead of the work's: the status, and the substatus or the kind of body where it has one. */
export const STATUS_FAULTS = [
  "403-3",
  "404-1002",
  "408",
  "410",
  "429",
  "449",
  "500",
  "502-html",
  "503",
  "504",
  "empty-body",
] as const;

/** Fails one operation of a batch; the others answer 424 and nothing is done. In a bulk request only that one fails. */
export const BATCH_FAULTS = [
  "408-in-batch",
  "410-in-batch",
  "429-in-batch",
  "449-in-batch",
  "500-in-batch",
  "503-in-batch",
] as const;

/**
 * How the results of queries come: an empty page with a continuation token before each page, pages of at most `items`
 * results, aggregates in two parts.
 */
export const PAGE_FAULTS = ["empty-page", "short-page", "partial-aggregate"] as const;

/**
 * "before" and "after" say whether the work is done. A held request waits until the rules are replaced; one that was
 * held before its work and whose client has disconnected meanwhile is forgotten, as if it had never arrived. A request
 * that hangs is never answered; its connection is cut when the rules are replaced.
 */
export const CONNECTION_FAULTS = ["latency", "hang", "cut-before", "cut-after", "hold-before", "hold-after"] as const;

export const FAULTS = [...STATUS_FAULTS, ...BATCH_FAULTS, ...PAGE_FAULTS, ...CONNECTION_FAULTS] as const;

/** What a rule strikes unless it says otherwise. */
export const COMMON_OPERATIONS = ["create", "replace", "patch", "batch", "query", "read", "delete", "upsert"] as const;
/** `metadata` is everything that is not about documents: the account, containers, partition key ranges, offers. */
export const FAULT_OPERATIONS = [...COMMON_OPERATIONS, "bulk", "query-plan", "change-feed", "metadata"] as const;

export type StatusFault = (typeof STATUS_FAULTS)[number];
export type BatchFault = (typeof BATCH_FAULTS)[number];
export type PageFault = (typeof PAGE_FAULTS)[number];
export type Fault = (typeof FAULTS)[number];
export type FaultOperation = (typeof FAULT_OPERATIONS)[number];
export type Moment = "before" | "after";
export type BodyKind = "json" | "html" | "empty";

export interface FaultRule {
  fault: Fault;
  /** The share of the matching requests that it strikes; 1 unless given. */
  rate?: number;
  /** How often it strikes before it is spent; without end unless given. */
  times?: number;
  /** How long it strikes, in milliseconds from when it was set; without end unless given. */
  forMs?: number;
  /**
   * All of `COMMON_OPERATIONS` unless given; page faults strike queries only, batch faults batches and bulk requests.
   */
  operations?: FaultOperation[];
  /** All unless given. */
  container?: string;
  /** Only requests that have all of these texts in their path, partition key or body. */
  containing?: string[];
  /** The delay of `latency` (100 unless given), or what 429 asks the client to wait (10 unless given). */
  ms?: number;
  /** For errors and `hang`: before the work (unless given) or after it, when the work is done and its answer lost. */
  when?: Moment;
  /** For errors: in place of the substatus that the name says. */
  substatus?: number;
  /** For errors: JSON unless the name says otherwise, an HTML page as from a gateway, or nothing. */
  body?: BodyKind;
  /** For batch faults: which operation, from 0; the last unless given. */
  index?: number;
  /** For `short-page`: 1 unless given. */
  items?: number;
}

const NAMES = "fault rate times forMs operations container containing ms when substatus body index items".split(" ");

/** Checks a list of rules; throws 400 with what is wrong, because a fault that never strikes proves nothing. */
export function parseRules(body: Value): FaultRule[] {
  if (!Array.isArray(body)) throw badRequest("The faults must be a JSON array of rules.");
  return body.map((rule, i) => {
    if (!isObject(rule)) throw badRequest(`Fault ${i}: not an object.`);
    const unknown = Object.keys(rule).find((name) => !NAMES.includes(name));
    if (unknown !== undefined) throw badRequest(`Fault ${i}: unknown property '${unknown}'.`);
    return parseRule(rule, i);
  });
}

function parseRule(given: JsonObject, i: number): FaultRule {
  const { rate, times, forMs, operations, container, containing, ms, when, substatus, body, index, items } = given;
  const says = (problem: string) => `Fault ${i}: ${problem}`;
  const rule: FaultRule = { fault: oneOf(FAULTS, given.fault, says("'fault'")) };
  if (rate !== undefined) rule.rate = numberWithin(rate, 1, says("'rate' must be a number from 0 to 1."));
  if (times !== undefined) rule.times = numberWithin(times, Infinity, says("'times' must be a number."));
  if (forMs !== undefined) rule.forMs = numberWithin(forMs, Infinity, says("'forMs' must be a number."));
  if (ms !== undefined) rule.ms = numberWithin(ms, Infinity, says("'ms' must be a number."));
  if (substatus !== undefined)
    rule.substatus = numberWithin(substatus, Infinity, says("'substatus' must be a number."));
  if (index !== undefined) rule.index = numberWithin(index, Infinity, says("'index' must be a number."));
  if (items !== undefined) rule.items = numberWithin(items, Infinity, says("'items' must be a number."));
  if (when !== undefined) rule.when = oneOf(["before", "after"], when, says("'when'"));
  if (body !== undefined) rule.body = oneOf(["json", "html", "empty"], body, says("'body'"));
  if (container !== undefined) {
    if (typeof container !== "string") throw badRequest(says("'container' must be a name."));
    rule.container = container;
  }
  if (containing !== undefined) rule.containing = listOf(containing, says("'containing' must be an array of texts."));
  if (operations !== undefined) {
    const names = listOf(operations, says("'operations' must be an array of names."));
    rule.operations = names.map((name) => oneOf(FAULT_OPERATIONS, name, says("each of 'operations'")));
  }
  return rule;
}

function listOf(value: Value, message: string): string[] {
  if (!Array.isArray(value)) throw badRequest(message);
  return value.map((piece) => {
    if (typeof piece !== "string") throw badRequest(message);
    return piece;
  });
}

function oneOf<T extends string>(names: readonly T[], value: Value, what: string): T {
  const found = names.find((name) => name === value);
  if (found === undefined) throw badRequest(`${what} must be one of ${names.join(", ")}.`);
  return found;
}

function numberWithin(value: Value, most: number, message: string): number {
  if (typeof value !== "number" || value < 0 || value > most) throw badRequest(message);
  return value;
}
