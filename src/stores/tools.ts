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

/** Other writers change the same documents at the same moment: then what was refused is tried again, so often. */
export const ATTEMPTS = 10;
