/** The lock of a thread: while a run is active, the thread takes no messages and no second run. */
import { UNDERSTOOD } from "../store/documents.ts";

/** How often a place in a thread is tried for while other requests keep taking it. */
export const MAX_ATTEMPTS = 10;

/** Whether the run that holds a thread has run out of time; if so, it has been ended and the thread is free. */
export type StaleLock = (runId: string) => Promise<boolean>;

/**
 * The condition under which a thread takes something new at the place `seq`. A mark never fulfils it, nor a newer
 * thread.
 */
export const unlockedBefore = (seq: string) =>
  `c.internal.active_run = null AND c.internal.last_seq < '${seq}' AND ${UNDERSTOOD}`;
