/**
 * Drives a claimed run to its next pause or its end: reads what the model is to get, asks it, and writes back what it
 * said. Two drivers use this: the queue's worker, and the HTTP function that holds a client's stream.
 */
import { countTokens } from "../model/tokens.ts";
import type { ModelTrouble } from "../model/trouble.ts";
import type { Usage } from "../resources/common.ts";
import { type RunError, SERVER_ERROR } from "../resources/run.ts";
import type { MessageDoc, ReservedIds, RunDoc, StepDoc } from "../store/documents.ts";
import { StoreTrouble } from "../store/trouble.ts";
import { beat } from "./checkpoint.ts";
import { exhaustedBudget, impossibleChoice, unservedError } from "./context.ts";
import { type Context, readContext } from "./context-window.ts";
import { STOPPING } from "./drives.ts";
import type { Engine } from "./engine.ts";
import { runEvent } from "./events.ts";
import { goOn } from "./go-on.ts";
import { hear } from "./hear.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Hosting } from "./hosting.ts";
import { type WithImages, withImages } from "./images.ts";
import type { Ending } from "./lifecycle.ts";
import type { Outcome } from "./outcome.ts";
import type { OwnedRun } from "./owned-run.ts";
import { beforeRetry, STORE_PAUSE } from "./retry.ts";
import { inDriveSpan } from "./run-span.ts";
import { endDriven, leave, logOf, type Progress, pauseRun, releaseRun, settleTrouble } from "./settle.ts";
import { NO_WORK } from "./tools/work.ts";
import { Turn } from "./turn.ts";

/** How often a model call under way is looked after. Milliseconds. */
export const HEARTBEAT = 1_000;

const CALLS: Outcome = { kind: "calls", work: NO_WORK };

/** The end of a run that a fault of this code has stopped. */
const FAILED: Ending = { status: "failed", error: SERVER_ERROR };

/**
 * Resolves when the run has paused, ended, or been left to another driver: after one model call, or after several with
 * the work of hosted tools between them. `window`: the run's messages, if they are being read already. Throws
 * `StoreTrouble` if not even the outcome can be written.
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
  const { waited, pending } = owned.run.internal;
  // A run that has waited for its files has told so before, as has one whose calls are to be done.
  if (waited !== owned.run.started_at && pending === undefined) owned.tell(runEvent(owned.run, "in_progress"));
  const usesHosted = owned.run.tools.some(({ type }) => type !== "function");
  const hosting = new Hosting(engine, owned, usesHosted ? await engine.hosted() : []);
  for (let messages = window; ; messages = undefined) {
    const turn = new Turn(owned.run, reservedOf(owned.run), owned.tell, engine.now, hosting.toolset);
    const progress = await takeTurn(engine, owned, turn, hosting, stop, messages);
    if (progress !== "goes-on") return progress;
    hosting.told();
  }
}

/** One model call, and all that it leads to up to the next one. */
async function takeTurn(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  hosting: Hosting,
  stop: AbortController,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Progress | "goes-on"> {
  try {
    if (owned.run.internal.pending !== undefined) turn.restore(await readCalls(owned));
    const outcome = await outcomeUnder(engine, owned, turn, hosting, stop, window);
    await keep(turn, hosting, outcome);
    return await settle(engine, owned, turn, hosting, outcome);
  } catch (error) {
    if (error instanceof StoreTrouble) throw error;
    // A fault of this code: the same would happen again, so the model is not asked again.
    logOf(engine, owned.run).error("a run fails because of an unexpected error", { error });
    const cancelled = owned.run.status === "cancelling";
    return endDriven(engine, owned, turn, cancelled ? { status: "cancelled" } : FAILED);
  }
}

/** What the text links is kept: it is over, however the turn goes on. */
async function keep(turn: Turn, hosting: Hosting, { kind }: Outcome, signal?: AbortSignal): Promise<void> {
  if (kind === "lost") return;
  turn.endText();
  await hosting.keep(turn, signal);
}

/** The stored step of the calls that are to be done. Throws `StoreTrouble`. */
async function readCalls({ partition, run }: OwnedRun): Promise<StepDoc> {
  const step = await partition.read<StepDoc>(reservedOf(run).toolStep);
  if (step?.kind !== "step") throw new Error("the stored calls of a run are gone");
  return step;
}

function settle(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  hosting: Hosting,
  outcome: Outcome,
): Promise<Progress | "goes-on"> | Progress {
  // A cancel that was noticed while the model call ended: the run can only be cancelled now.
  if (owned.run.status === "cancelling" && outcome.kind !== "lost") {
    return endDriven(engine, owned, turn, { status: "cancelled" }, hosting.after);
  }
  switch (outcome.kind) {
    case "ending":
      return endDriven(engine, owned, turn, outcome.ending, hosting.after);
    case "calls":
      return pauseRun(engine, owned, turn, outcome.work);
    case "hosted":
      return goOn(engine, owned, turn, outcome.work);
    case "wait":
      return releaseRun(engine, owned, turn, { reason: "waits", delay: outcome.delay }, hosting.after);
    case "trouble":
      return settleTrouble(engine, owned, turn, outcome.trouble, hosting.after);
    case "repeat-later":
      return releaseRun(engine, owned, turn, { reason: "model", delay: outcome.delay }, hosting.after);
    case "store-trouble":
      return releaseRun(engine, owned, turn, { reason: "store", delay: STORE_PAUSE }, hosting.after);
    case "stopping":
      return releaseRun(engine, owned, turn, { reason: "stopping", delay: 0 }, hosting.after);
    case "lost":
      return leave(engine, owned);
  }
}

/**
 * One model call, and the work of hosted tools that it asks for, under a heartbeat. The reason to stop is read once,
 * after the heartbeat has stopped.
 */
async function outcomeUnder(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  hosting: Hosting,
  stop: AbortController,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Outcome> {
  const isPending = owned.run.internal.pending !== undefined;
  const exhausted = isPending ? undefined : exhaustedBudget(owned.run);
  if (exhausted !== undefined) return { kind: "ending", ending: { status: "incomplete", reason: exhausted } };
  if (owned.run.internal.snapshot_missing) throw new Error("the run's instructions and tools are gone");
  const error = isPending ? unservedIn(turn) : impossibleChoice(owned.run, hosting.toolset);
  if (error !== undefined) return { kind: "ending", ending: { status: "failed", error } };
  const heartbeat = new Heartbeat(HEARTBEAT, beat(engine, owned, turn, stop));
  let outcome: Outcome;
  try {
    const unready = await hosting.unready(stop.signal);
    const asks = () => converse(engine, owned, turn, hosting, stop.signal, window);
    outcome = unready ?? (isPending ? CALLS : await asks());
    if (outcome.kind === "calls") outcome = await hosting.work(turn, stop.signal);
    // It takes as long as the storage's trouble, and the lease must not end meanwhile.
    await keep(turn, hosting, outcome, stop.signal);
  } finally {
    await heartbeat.stop();
  }
  const reason: Outcome | undefined = stop.signal.aborted ? stop.signal.reason : undefined;
  // What was complete when this process was told to stop is written: it need not be asked for again.
  if (reason === STOPPING && outcome.kind !== "lost") return outcome;
  return reason ?? outcome;
}

/** Why the stored calls of a turn cannot be done, if so: the app was redeployed without their tool since. */
function unservedIn({ unserved }: Turn): RunError | undefined {
  return unserved === undefined ? undefined : unservedError(unserved.type);
}

/** Asks the model, in place again while that is this driver's way; any outcome will do once `signal` is aborted. */
async function converse(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  hosting: Hosting,
  signal: AbortSignal,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Outcome> {
  let context: Context;
  let images: WithImages;
  try {
    context = await readContext(owned, hosting.toolset, engine.config.model.contextTokens, window);
    images = await withImages(engine, owned.run.internal.tenant, context.request, signal);
  } catch (error) {
    if (!(error instanceof StoreTrouble)) throw error;
    logOf(engine, owned.run).warn("the run's messages could not be read", { error });
    return { kind: "store-trouble" };
  }
  if ("error" in images) return { kind: "ending", ending: { status: "failed", error: images.error } };
  try {
    return await ask(engine, owned, turn, hosting, { ...context, request: images.request }, signal);
  } finally {
    images.release();
  }
}

async function ask(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  hosting: Hosting,
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  if (!context.fits) return { kind: "ending", ending: { status: "incomplete", reason: "max_prompt_tokens" } };
  turn.cite(hosting.markers(context.steps));
  for (;;) {
    const trouble = await streamInto(engine, owned, turn, context, signal);
    // An answer that was complete when this driver was stopped is an answer.
    if (trouble === undefined) return turn.finishReason === undefined ? { kind: "lost" } : outcomeOf(turn);
    const outcome = await beforeRetry(engine, owned, trouble, signal, !turn.hasBegun);
    if (outcome !== undefined) return outcome;
    turn.forget();
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
  return turn.toolCalls === undefined ? { kind: "ending", ending: { status: "completed" } } : CALLS;
}

function reservedOf(run: RunDoc): ReservedIds {
  if (run.internal.reserved === null) throw new Error(`run ${run.id} is driven without reserved ids`);
  return run.internal.reserved;
}
