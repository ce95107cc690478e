/** What everything around vector stores works with; the app has it all. */
import type { WakeUps } from "../jobs/wake-ups.ts";
import type { Store } from "../store/store.ts";

export interface StoreTools {
  store: Store;
  wakeUps: WakeUps;
  /** milliseconds since 1970 */
  now: () => number;
}

/** How long a worker may take to look at what is due before the sweep sends another wake-up. Milliseconds. */
export const GRACE = 60_000;

/**
 * A worker that lost its file may have sent a last write before its lease was over: so long after that, it has arrived
 * or never will. Longer than a call of the store's SDK with its repetitions. Milliseconds.
 */
export const LAST_WRITE = 20_000;

/** Other writers change the same documents at the same moment: then what was refused is tried again, so often. */
export const ATTEMPTS = 10;
