/** What goes wrong between the app and Cosmos DB, and how often the app tries again. */
import { setTimeout as sleep } from "node:timers/promises";
import { CALL_TIMEOUT, LONGEST_PAUSE, SHORT_PATIENCE_TIME } from "./waits.ts";

/**
 * Cosmos DB did not do what it was asked, or its answer got lost: only a look at the documents tells which. The same
 * request may work later.
 */
export class StoreTrouble extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "StoreTrouble";
  }
}

/** Cosmos DB answered 429 for longer than the SDK waits: the account is over its throughput. Nothing was done. */
export class StoreBusy extends StoreTrouble {
  constructor(cause?: unknown) {
    super("the store is over its provisioned throughput", cause);
    this.name = "StoreBusy";
  }
}

/** The logical partition has its 20 GB: only deletions make room in it. */
export class PartitionFull extends StoreTrouble {
  constructor(cause?: unknown) {
    super("the partition is full", cause);
    this.name = "PartitionFull";
  }
}

/** A physical partition that a query asked for was split. The client is renewed by then: the same query works now. */
export class RangeGone extends StoreTrouble {
  constructor(cause?: unknown) {
    super("a physical partition was split", cause);
    this.name = "RangeGone";
  }
}

/**
 * Statuses that answer the request: the same request would be answered the same. Whatever else happens (other statuses,
 * broken connections, time-outs, bodies that are no JSON, no identity token) is trouble and passes.
 */
const FINAL = [304, 400, 404, 409, 412, 413];

/** "Read session not available": a replica that has not caught up, not a missing document. */
const SESSION_NOT_AVAILABLE = 1002;

/** "Partition key reached maximum size of 20 GB." */
const PARTITION_FULL = 1014;

const isFull = (status: number | undefined, substatus: number | undefined) =>
  status === 403 && substatus === PARTITION_FULL;

export const isFinal = (status: number, substatus?: number) =>
  FINAL.includes(status) && !(status === 404 && substatus === SESSION_NOT_AVAILABLE);

/** The status of an error that the SDK threw, undefined where there was no answer. A batch wraps its error. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const code: unknown = Reflect.get(error, "code");
  if (typeof code === "number") return code;
  return error instanceof Error && error.cause !== undefined ? statusOf(error.cause) : undefined;
}

/**
 * The trouble that an error tells of, if the request plugin has named it so before (cosmos.ts). The SDK may wrap it.
 */
function troubleIn(error: unknown): StoreTrouble | undefined {
  if (error instanceof StoreTrouble) return error;
  return error instanceof Error && error.cause !== undefined ? troubleIn(error.cause) : undefined;
}

/** Trouble if the error is not a final answer of the store. Else undefined. */
export function troubleOf(error: unknown): StoreTrouble | undefined {
  const known = troubleIn(error);
  if (known !== undefined) return known;
  const status = statusOf(error);
  if (status !== undefined && isFinal(status, substatusOf(error))) return undefined;
  if (isFull(status, substatusOf(error))) return new PartitionFull(error);
  return status === 429 ? new StoreBusy(error) : new StoreTrouble("the store did not do a request", error);
}

/** Remembers when the store was last in trouble, as far as this process has met it. */
export class StoreHealth {
  readonly #now: () => number;
  #lastTrouble = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a request of this process met trouble within the last `milliseconds`. */
  troubledWithin(milliseconds: number): boolean {
    return this.#now() - this.#lastTrouble < milliseconds;
  }

  /**
   * The SDK's answer; its error if that is final, else `StoreTrouble` or `StoreBusy`. Waits no longer than `timeout`
   * milliseconds.
   */
  async answer<T extends object>(request: Promise<T>, timeout = CALL_TIMEOUT): Promise<T> {
    let response: T;
    try {
      response = await within(timeout, request);
    } catch (error) {
      const trouble = troubleOf(error);
      throw trouble === undefined ? error : this.met(trouble);
    }
    // The SDK's reads answer 404 without throwing.
    const status: unknown = Reflect.get(response, "statusCode");
    if (typeof status !== "number" || status < 400 || isFinal(status, substatusOf(response))) return response;
    const substatus = substatusOf(response);
    if (isFull(status, substatus)) throw new PartitionFull();
    throw this.met(new StoreTrouble(`the store answered ${status}/${substatus}`));
  }

  /** Remembers trouble that an answer tells of one of its parts; returns it, to be thrown. */
  met(trouble: StoreTrouble): StoreTrouble {
    // That one is of a single partition, and all others are well.
    if (trouble instanceof PartitionFull) return trouble;
    this.#lastTrouble = this.#now();
    return trouble;
  }
}

/** The SDK has no bound for a whole call; what comes of the call afterwards is dropped. */
async function within<T>(milliseconds: number, request: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreTrouble(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([request, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function substatusOf(error: unknown): number | undefined {
  const substatus = typeof error === "object" && error !== null ? Reflect.get(error, "substatus") : undefined;
  return typeof substatus === "number" ? substatus : undefined;
}

/**
 * How long to wait before the next try, after the `attempt`-th one (from 1) failed and `elapsed` is over since the
 * first one began; undefined gives up. Milliseconds.
 */
export type Patience = (attempt: number, trouble: StoreTrouble, elapsed: number) => number | undefined;

const FIRST_PAUSE = 50;
const ATTEMPTS = 5;

/**
 * For a request that a client waits for: tries again after 50, 100, 200 and 400 ms. The SDK has waited out 429 already.
 * A store that hangs is not asked twice: the client would wait too long.
 */
const SHORT_PATIENCE: Patience = (attempt, trouble, elapsed) =>
  trouble instanceof StoreBusy || attempt >= ATTEMPTS || elapsed >= SHORT_PATIENCE_TIME
    ? undefined
    : FIRST_PAUSE * 2 ** (attempt - 1);

/** For a write that is not worth a second try: the next one comes anyway. */
export const NO_PATIENCE: Patience = () => undefined;

/** Tries again, with pauses of at most `LONGEST_PAUSE`, for as long as `worthwhile` says so. */
export const patienceWhile =
  (worthwhile: () => boolean): Patience =>
  (attempt) =>
    worthwhile() ? Math.min(FIRST_PAUSE * 2 ** Math.min(attempt - 1, 10), LONGEST_PAUSE) : undefined;

/**
 * Does something again while the store is in trouble. `done` is asked before each repetition and may find out that an
 * earlier try was done after all: then its value is the answer.
 */
export async function retryTrouble<T>(
  work: () => Promise<T>,
  done?: () => Promise<T | undefined>,
  patience: Patience = SHORT_PATIENCE,
): Promise<T> {
  const began = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      const known = attempt > 1 ? await done?.() : undefined;
      return known ?? (await work());
    } catch (error) {
      const pause = error instanceof StoreTrouble ? patience(attempt, error, performance.now() - began) : undefined;
      if (pause === undefined) throw error;
      await sleep(pause);
    }
  }
}
