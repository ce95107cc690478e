/** Clients as users write them: the real SDK, which tries again by itself, before two instances that come and go. */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { APIConnectionError, APIError, APIUserAbortError } from "openai";
import type { Child } from "../../../local/child.ts";
import { MARK } from "./model-scripts.ts";
import type { Random } from "./random.ts";

/** Milliseconds. */
const TIMEOUT = 8_000;
const MAX_RETRIES = 5;
const PAUSE = 400;

export interface ClientOptions {
  doors: readonly [Child, Child];
  apiKey: string;
  random: Random;
  /** how far reads may be behind writes of another instance, in milliseconds */
  lag: number;
}

/** A client whose every request, repetitions too, goes to an instance by chance; `share` of them to the first. */
export function clientOf({ doors, apiKey, random, lag }: ClientOptions, share: number): OpenAI {
  const balanced: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const ask = () => {
      url.port = String((random.chance(share) ? doors[0] : doors[1]).ports.port);
      return fetch(url, marked(init));
    };
    const response = await ask();
    if (response.status !== 404 || lag === 0) return response;
    // Another instance has written it, and this one does not see it yet.
    await sleep(lag);
    return ask();
  };
  return new OpenAI({
    apiKey,
    baseURL: "http://127.0.0.1/v1",
    maxRetries: MAX_RETRIES,
    timeout: TIMEOUT,
    fetch: balanced,
  });
}

/** A model that is to be marked gets a mark of its own in each request: also the SDK's repetitions are told apart. */
function marked(init: RequestInit | undefined): RequestInit | undefined {
  if (typeof init?.body !== "string") return init;
  return { ...init, body: init.body.replace(`${MARK}"`, `${MARK}${crypto.randomUUID()}"`) };
}

/** Whether a call may work later: there was no answer, or one of a server in trouble. */
export function isTransient(error: unknown): boolean {
  if (error instanceof APIConnectionError || error instanceof APIUserAbortError) return true;
  if (error instanceof APIError) return error.status === undefined || error.status === 429 || error.status >= 500;
  // A stream that broke off: what fetch throws of it.
  return error instanceof Error;
}

/** A refusal that a client can understand: not an accident. */
export const isRefusal = (error: unknown): error is APIError => error instanceof APIError && error.status === 400;

/** Does what may be refused, or meet an accident: neither matters. */
export async function venture(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isRefusal(error) && !isTransient(error)) throw error;
  }
}

/** Calls until the API answers; throws what is no accident, and the last accident when the time is over. */
export async function insist<T>(call: () => Promise<T>, until: number): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error) || Date.now() > until) throw error;
      await sleep(PAUSE);
    }
  }
}
