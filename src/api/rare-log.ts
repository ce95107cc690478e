/** Warnings that callers can cause as often as they like: each message once a minute, with how often it was left out since. */
import type { Details, Log } from "../log.ts";

/** Milliseconds. */
const INTERVAL = 60_000;

export class RareLog {
  readonly #log: Log;
  readonly #now: () => number;
  /** by message */
  readonly #told = new Map<string, { at: number; leftOut: number }>();

  /** `now` in milliseconds. */
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  warn(message: string, details: Details): void {
    const last = this.#told.get(message);
    if (last !== undefined && this.#now() - last.at < INTERVAL) {
      last.leftOut += 1;
      return;
    }
    const leftOut = last?.leftOut ?? 0;
    this.#told.set(message, { at: this.#now(), leftOut: 0 });
    this.#log.warn(message, leftOut === 0 ? details : { ...details, leftOut });
  }
}
