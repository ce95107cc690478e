/**
 * Wake-ups of kinds or versions that this build does not know: a newer build beside it has sent them, and the queue
 * gives them to either. They go back unchanged, for later, until an instance of the newer build gets them.
 */
import { createHash } from "node:crypto";
import type { Log } from "../log.ts";
import { type AnyWakeUp, QUEUE, type WakeUps } from "./wake-ups.ts";

/**
 * How long one waits in the queue before the next instance gets it: at first an update is probably under way, and the
 * next instance is one of the newer build. Doubled each time, up to the longest. Milliseconds.
 */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/** How often one goes back: if no newer build takes it within about two hours, there is none any more. */
const MAX_PASSES = 240;

/** The field that counts how often a message went back. */
const PASSES = "passes";

/** What this works with; the engine has it all. */
export interface PassTools {
  wakeUps: WakeUps;
  log: Log;
  /** milliseconds since 1970 */
  now: () => number;
}

/** Throws if the queue does not take the message back: then Service Bus delivers it again. */
export async function leaveForNewerBuild(
  { wakeUps, log, now }: PassTools,
  message: AnyWakeUp,
  queue = QUEUE,
): Promise<void> {
  const passes = passesOf(message) + 1;
  const { kind, v } = message;
  if (passes > MAX_PASSES) {
    log.error("a wake-up that no running build understands is dropped", { kind, v });
    return;
  }
  const job = { ...message, [PASSES]: passes };
  // The same message at the same pass: redelivered, it is not doubled.
  const id = createHash("sha256").update(JSON.stringify(job)).digest("hex");
  log.warn("a wake-up is of a newer build; it is left for that", { kind, v });
  const at = now() + Math.min(FIRST_PAUSE * 2 ** (passes - 1), LONGEST_PAUSE);
  if (!(await wakeUps.sendAll([{ job, id, at }], queue))) throw new Error("a wake-up could not be passed on");
}

function passesOf(message: object): number {
  const passes: unknown = Reflect.get(message, PASSES);
  return typeof passes === "number" ? passes : 0;
}
