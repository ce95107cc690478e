/**
 * Drives a claimed run to its next pause or its end: reads what the model is to get, asks it, and writes back what it
 * said. Two drivers use this: the queue's worker, and the HTTP function that holds a client's stream.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { countTokens } from "../model/tokens.ts";
import type { ModelTrouble } from "../model/trouble.ts";
import type { Usage } from "../resources/common.ts";
import type { MessageDoc, ReservedIds, RunDoc } from "../store/documents.ts";
import { StoreTrouble } from "../store/trouble.ts";
import { beat } from "./checkpoint.ts";
import { exhaustedBudget, impossibleChoice } from "./context.ts";
import { type Context, readContext } from "./context-window.ts";
import { STOPPING } from "./drives.ts";
import type { Engine } from "./engine.ts";
import { runEvent } from "./events.ts";
import { hear } from "./hear.ts";
import { Heartbeat } from "./heartbeat.ts";
import { withImages } from "./images.ts";
import { type Ending, retried } from "./lifecycle.ts";
import type { Outcome } from "./outcome.ts";
import type { OwnedRun } from "./owned-run.ts";
import { inDriveSpan } from "./run-span.ts";
import {
  endDriven,
  leave,
  logOf,
  type Progress,
  pauseRun,
  releaseRun,
  retryDelay,
  SERVER_ERROR,
  settleTrouble,
} from "./settle.ts";
import { Turn } from "./turn.ts";

/** How often a model call under way is looked after. Milliseconds. */
export const HEARTBEAT = 1_000;

/** The end of a run that a fault of this code has stopped. */
const FAILED: Ending = { status: "failed", error: SERVER_ERROR };

/** How long a run waits whose context could not be read. Milliseconds. */
const STORE_PAUSE = 5_000;

/**
 * Resolves when the run has paused, ended, or been left to another driver. `window`: the run's messages, if they are
 * being read already. Throws `StoreTrouble` if not even the outcome can be written.
 */
export function drive(engine: Engine, owned: OwnedRun, window?: Promise<MessageDoc[]>): Promise<Progress> {
  return inDriveSpan(engine, owned, () => engine.drives.run((stop) => driveTo(engine, owned, stop, window)));
}

async function driveTo(
  engine: Engine,
  owned: OwnedRun,
  stop: AbortController,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Progress> {
  owned.tell(runEvent(owned.run, "in_progress"));
  const turn = new Turn(owned.run, reservedOf(owned.run), owned.tell, engine.now);
  try {
    return await settle(engine, owned, turn, await takeTurn(engine, owned, turn, stop, window));
  } catch (error) {
    if (error instanceof StoreTrouble) throw error;
    // A fault of this code: the same would happen again, so the model is not asked again.
    logOf(engine, owned.run).error("a run fails because of an unexpected error", { error });
    const cancelled = owned.run.status === "cancelling";
    return endDriven(engine, owned, turn, cancelled ? { status: "cancelled" } : FAILED);
  }
}

function settle(engine: Engine, owned: OwnedRun, turn: Turn, outcome: Outcome): Promise<Progress> | Progress {
  // A cancel that was noticed while the model call ended: the run can only be cancelled now.
  if (owned.run.status === "cancelling" && outcome.kind !== "lost") {
    return endDriven(engine, owned, turn, { status: "cancelled" });
  }
  switch (outcome.kind) {
    case "ending":
      return endDriven(engine, owned, turn, outcome.ending);
    case "calls":
      return pauseRun(engine, owned, turn);
    case "trouble":
      return settleTrouble(engine, owned, turn, outcome.trouble);
    case "repeat-later":
      return releaseRun(engine, owned, turn, { reason: "model", delay: outcome.delay });
    case "store-trouble":
      return releaseRun(engine, owned, turn, { reason: "store", delay: STORE_PAUSE });
    case "stopping":
      return releaseRun(engine, owned, turn, { reason: "stopping", delay: 0 });
    case "lost":
      return leave(engine, owned);
  }
}

/** One model call under a heartbeat. The reason to stop is read once, after the heartbeat has stopped. */
async function takeTurn(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  stop: AbortController,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Outcome> {
  const exhausted = exhaustedBudget(owned.run);
  if (exhausted !== undefined) return { kind: "ending", ending: { status: "incomplete", reason: exhausted } };
  if (owned.run.internal.snapshot_missing) throw new Error("the run's instructions and tools are gone");
  const error = impossibleChoice(owned.run);
  if (error !== undefined) return { kind: "ending", ending: { status: "failed", error } };
  const heartbeat = new Heartbeat(HEARTBEAT, beat(engine, owned, turn, stop));
  let outcome: Outcome;
  try {
    outcome = await converse(engine, owned, turn, stop.signal, window);
  } finally {
    await heartbeat.stop();
  }
  const reason: Outcome | undefined = stop.signal.aborted ? stop.signal.reason : undefined;
  // What was complete when this process was told to stop is written: it need not be asked for again.
  if (reason === STOPPING && outcome.kind !== "lost") return outcome;
  return reason ?? outcome;
}

/** Asks the model, in place again while that is this driver's way; any outcome will do once `signal` is aborted. */
async function converse(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  signal: AbortSignal,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Outcome> {
  let context: Context;
  try {
    context = await readContext(owned, engine.config.model.contextTokens, window);
    const images = await withImages(engine, owned.run.internal.tenant, context.request, signal);
    if ("error" in images) return { kind: "ending", ending: { status: "failed", error: images.error } };
    context = { ...context, request: images.request };
  } catch (error) {
    if (!(error instanceof StoreTrouble)) throw error;
    logOf(engine, owned.run).warn("the run's messages could not be read", { error });
    return { kind: "store-trouble" };
  }
  if (!context.fits) return { kind: "ending", ending: { status: "incomplete", reason: "max_prompt_tokens" } };
  for (;;) {
    const trouble = await streamInto(engine, owned, turn, context, signal);
    // An answer that was complete when this driver was stopped is an answer.
    if (trouble === undefined) return turn.finishReason === undefined ? { kind: "lost" } : outcomeOf(turn);
    const inPlace = engine.retriesInPlace && !turn.hasBegun;
    const delay = inPlace ? retryDelay(engine, owned.run, trouble) : undefined;
    if (delay === undefined) return { kind: "trouble", trouble };
    const due = engine.now() + delay;
    await sleep(delay, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return { kind: "repeat-later", delay: Math.max(0, due - engine.now()) };
    turn.forget();
    const counted = await countAttempt(engine, owned);
    if (counted !== undefined) return counted;
  }
}

/** Counts an attempt before the model is asked: a driver that dies then has used it up. Answers with why not to ask. */
async function countAttempt(engine: Engine, owned: OwnedRun): Promise<Outcome | undefined> {
  try {
    const result = await owned.write(retried);
    if (result === "written") return undefined;
    return result === "lost" ? { kind: "lost" } : { kind: "ending", ending: { status: "cancelled" } };
  } catch (error) {
    if (!(error instanceof StoreTrouble)) throw error;
    logOf(engine, owned.run).warn("an attempt could not be counted", { error });
    return { kind: "repeat-later", delay: STORE_PAUSE };
  }
}

/**
 * One attempt of a model call: what went wrong at the model, if anything did. Without a finish reason and without
 * trouble, the driver was stopped.
 */
async function streamInto(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  { request, countPrompt }: Context,
  signal: AbortSignal,
): Promise<ModelTrouble | undefined> {
  const failed = await hear(engine.model.stream(request, signal), turn);
  if (failed === undefined) {
    turn.close(turn.lacksUsage ? await countedUsage(turn, countPrompt) : undefined);
    return undefined;
  }
  if (signal.aborted) return undefined;
  const { error } = failed;
  const details = { model: request.model, ...(await engine.model.failure(error)), error };
  logOf(engine, owned.run).warn("model call failed", details);
  return engine.model.trouble(error, request.model);
}

/** What the call has used by our own count: a run's budgets hold with servers that do not tell, too. */
async function countedUsage(turn: Turn, countPrompt: () => Promise<number>): Promise<Usage> {
  const counts = await Promise.all(turn.words.map(countTokens));
  const prompt = await countPrompt();
  const completion = counts.reduce((sum, count) => sum + count, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function outcomeOf(turn: Turn): Outcome {
  if (turn.finishReason === "length") {
    return { kind: "ending", ending: { status: "incomplete", reason: "max_completion_tokens" } };
  }
  if (turn.finishReason === "content_filter") {
    const error = {
      code: "content_filter",
      message: "The response was filtered by the model's content management policy.",
    };
    return { kind: "ending", ending: { status: "failed", error } };
  }
  return turn.toolCalls === undefined ? { kind: "ending", ending: { status: "completed" } } : { kind: "calls" };
}

function reservedOf(run: RunDoc): ReservedIds {
  if (run.internal.reserved === null) throw new Error(`run ${run.id} is driven without reserved ids`);
  return run.internal.reserved;
}
