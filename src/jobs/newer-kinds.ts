/**
 * Wake-ups of kinds that this build does not know: a newer build beside it has sent them, and the queue gives them to
 * either. They go back unchanged, for later, until an instance of the newer build gets them.
 */
import { createHash } from "node:crypto";
import type { Log } from "../log.ts";
import type { WakeUps } from "./wake-ups.ts";

/** How long one waits in the queue before the next instance gets it. Milliseconds. */
const PAUSE = 30_000;

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
export async function leaveForNewerBuild({ wakeUps, log, now }: PassTools, message: { kind: unknown }): Promise<void> {
  const passes = passesOf(message) + 1;
  const { kind } = message;
  if (passes > MAX_PASSES) {
    log.error("a wake-up of a kind that no running build knows is dropped", { kind });
    return;
  }
  const job = { ...message, [PASSES]: passes };
  // The same message at the same pass: redelivered, it is not doubled.
  const id = createHash("sha256").update(JSON.stringify(job)).digest("hex");
  log.warn("a wake-up is of a kind that this build does not know; it is left for a newer one", { kind });
  if (!(await wakeUps.sendAll([{ job, id, at: now() + PAUSE }]))) throw new Error("a wake-up could not be passed on");
}

function passesOf(message: object): number {
  const passes: unknown = Reflect.get(message, PASSES);
  return typeof passes === "number" ? passes : 0;
}
