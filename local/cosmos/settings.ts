import { badRequest } from "./errors.ts";
import { isObject, type Value } from "./sql/values.ts";

/** The consistency of an account, strongest first. */
export const CONSISTENCIES = ["Strong", "BoundedStaleness", "Session", "ConsistentPrefix", "Eventual"] as const;
export type Consistency = (typeof CONSISTENCIES)[number];

/** Request units: without a limit, as an account with provisioned throughput, or as a serverless account. */
export const CAPACITIES = ["unlimited", "provisioned", "serverless"] as const;
export type Capacity = (typeof CAPACITIES)[number];

/**
 * How this account behaves where accounts of the real service differ. All of it can be changed while the server runs.
 */
export interface Settings {
  /** The account's consistency, as its document reports it. */
  consistency: Consistency;
  /**
   * How far the replica that serves weak reads is behind, in milliseconds. A weak read asks for Session without a
   * token, ConsistentPrefix or Eventual. With 0 there is one copy of the data and every read is strong.
   */
  lagMs: number;
  /**
   * A read whose session token is ahead of that replica is served by an up-to-date one, or refused with 404 and
   * substatus 1002.
   */
  behindToken: "serve" | "refuse";
  capacity: Capacity;
  /** With provisioned capacity: request units per second of a container that was created without its own. */
  throughput: number;
  /** Whether that throughput is the maximum of autoscale. The limit is the same; the offer says so. */
  autoscale: boolean;
  /**
   * What a conditional read that answers 304 costs: 1 RU, or as much as reading the document. The service does not say.
   */
  notModified: "flat" | "document";
  /**
   * Whether ORDER BY VectorDistance with a partition key is served, or refused until the client has a plan. Not known.
   */
  vectorQueries: "served" | "planned";
}

/** The service gives a container this many request units per second unless told otherwise. */
export const DEFAULT_THROUGHPUT = 400;

/** Of each physical partition of a container. */
export const SERVERLESS_THROUGHPUT = 5000;

/** Long enough that a read that follows its write at once misses it. */
const DEFAULT_LAG_MS = 250;

export const isStrong = (level: Consistency) => level === "Strong" || level === "BoundedStaleness";

/** Completes what a caller gives: a weak account lags behind unless it is told not to. */
export function completeSettings(given: Partial<Settings> = {}): Settings {
  const consistency = given.consistency ?? "Strong";
  return {
    consistency,
    lagMs: given.lagMs ?? (isStrong(consistency) ? 0 : DEFAULT_LAG_MS),
    behindToken: given.behindToken ?? "serve",
    capacity: given.capacity ?? "unlimited",
    throughput: given.throughput ?? DEFAULT_THROUGHPUT,
    autoscale: given.autoscale ?? false,
    notModified: given.notModified ?? "flat",
    vectorQueries: given.vectorQueries ?? "served",
  };
}

/** `boundedStaleness`, `BoundedStaleness`, `bounded-staleness`: the same level. Throws 400. */
export function parseConsistency(text: string): Consistency {
  const plain = text.replaceAll("-", "").toLowerCase();
  const level = CONSISTENCIES.find((name) => name.toLowerCase() === plain);
  if (!level) throw badRequest(`The consistency '${text}' is not one of ${CONSISTENCIES.join(", ")}.`);
  return level;
}

/** The settings of a control request; throws 400 for what is not a setting. */
export function parseSettings(body: Value): Partial<Settings> {
  if (!isObject(body)) throw badRequest("The settings must be a JSON object.");
  const changes: Partial<Settings> = {};
  for (const [name, value] of Object.entries(body)) Object.assign(changes, parseSetting(name, value));
  return changes;
}

function parseSetting(name: string, value: Value): Partial<Settings> {
  switch (name) {
    case "consistency":
      return { consistency: parseConsistency(String(value)) };
    case "lagMs":
      return { lagMs: numberFrom(0, name, value) };
    case "behindToken":
      return { behindToken: oneOf(["serve", "refuse"], name, value) };
    case "capacity":
      return { capacity: oneOf(CAPACITIES, name, value) };
    case "throughput":
      return { throughput: numberFrom(1, name, value) };
    case "autoscale":
      return { autoscale: value === true };
    case "notModified":
      return { notModified: oneOf(["flat", "document"], name, value) };
    case "vectorQueries":
      return { vectorQueries: oneOf(["served", "planned"], name, value) };
  }
  throw badRequest(`There is no setting '${name}'.`);
}

function numberFrom(least: number, name: string, value: Value): number {
  if (typeof value !== "number" || value < least) throw badRequest(`'${name}' must be a number from ${least} on.`);
  return value;
}

function oneOf<T extends string>(names: readonly T[], name: string, value: Value): T {
  const found = names.find((candidate) => candidate === value);
  if (found === undefined) throw badRequest(`'${name}' must be one of ${names.join(", ")}.`);
  return found;
}
