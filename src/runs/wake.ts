/** The wake-ups of a run. */
import type { WakeUp } from "../jobs/wake-ups.ts";
import type { RunDoc } from "../store/documents.ts";

/** For a run that is queued. */
export const wakeUpOf = (run: RunDoc): WakeUp => ({ tenant: run.internal.tenant, thread: run.thread_id, run: run.id });

/** For a run that has a driver or is paused: claiming it without a look would be in vain. */
export const lookAt = (run: RunDoc): WakeUp => ({ ...wakeUpOf(run), look: true });
