/**
 * When a client should look at a run again. Clients that are not told wait for seconds between two looks
 * (docs/contract.md 1.4).
 */

/** Operations whose answers clients ask for again and again. */
const POLLED = ["getRun", "getVectorStore", "getVectorStoreFile", "getFileBatch"];

const UNSETTLED: unknown[] = ["queued", "in_progress", "cancelling"];

/** Milliseconds. Most runs end within seconds; who waits for a long one need not ask ten times a second. */
const SOONEST = 100;
const LATEST = 1000;

/** The header for an answer of this operation, if it is a run that goes on by itself. `now` in milliseconds. */
export function pollAfter(operation: string, answer: object, now: number): Record<string, string> {
  if (!POLLED.includes(operation) || !("status" in answer) || !UNSETTLED.includes(answer.status)) return {};
  const age = "created_at" in answer ? now - Number(answer.created_at) * 1000 : 0;
  const wait = Math.min(Math.max(Math.round(age / 10), SOONEST), LATEST);
  return { "openai-poll-after-ms": String(wait) };
}
