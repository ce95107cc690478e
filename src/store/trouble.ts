/** What goes wrong between us and Cosmos DB, and how often that is tried again. */
import { setTimeout as sleep } from "node:timers/promises";

/** The SDK itself waits out 429. For the rest: 50 + 100 + 200 + 400 ms, then it is somebody else's turn. */
const ATTEMPTS = 5;
const FIRST_PAUSE = 50;

/** Cosmos DB answered 429 for longer than the SDK waits: the account is over its provisioned throughput. */
export class StoreBusy extends Error {
  constructor(cause: unknown) {
    super("the store is over its provisioned throughput", { cause });
    this.name = "StoreBusy";
  }
}

/** The status of an error that the SDK threw, undefined where there was no answer. A batch wraps its error. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const code: unknown = Reflect.get(error, "code");
  if (typeof code === "number") return code;
  return error instanceof Error && error.cause !== undefined ? statusOf(error.cause) : undefined;
}

/**
 * Whether an operation may or may not have been done: the connection broke, the answer never came, or a gateway gave up.
 */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error) && typeof error !== "object") return false;
  const status = statusOf(error);
  return status === undefined ? isTransport(error) : status === 408 || status === 449 || status === 503;
}

/** Node's and the SDK's own codes are words, and a bug in this code has none. */
function isTransport(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (typeof Reflect.get(error, "code") === "string") return true;
  return error instanceof Error && error.cause !== undefined && isTransport(error.cause);
}

/**
 * Does something again while its answers get lost. `again` is called before each repetition and may find out that an
 * earlier try was done after all: then its value is the answer.
 */
export async function patiently<T>(work: () => Promise<T>, again?: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const done = attempt > 1 ? await again?.() : undefined;
      return done ?? (await work());
    } catch (error) {
      if (!isLost(error) || attempt === ATTEMPTS) throw error;
      await sleep(FIRST_PAUSE * 2 ** (attempt - 1));
    }
  }
}
