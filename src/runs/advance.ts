/**
 * The engine: moves a run until it pauses or ends (design: one engine, two drivers). It is level-triggered: it looks at
 * the run's state and the clock and does what is due, whatever made somebody look.
 */
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { WakeUp } from "../jobs/wake-ups.ts";
import type { ModelTrouble } from "../model/trouble.ts";
import type { ModelRequest } from "../model/types.ts";
import { mintId, nextSeq, seqOfMintedId } from "../resources/ids.ts";
import { isTerminal } from "../resources/run.ts";
import type { MessageDoc, ReservedIds, RunDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { exhaustedBudget } from "./context.ts";
import { readContext } from "./context-window.ts";
import type { HANDED_BACK } from "./drives.ts";
import { endUndriven, finish, giveBack, handBack, lost, type Progress, pause, retryDelay, withOpen } from "./ending.ts";
import type { Engine } from "./engine.ts";
import { noSink, openingEvents, runEvent } from "./events.ts";
import { Heartbeat } from "./heartbeat.ts";
import { claimed as claim, claimFields, type Ending, givenBack, isExpired, isUnowned, renewed } from "./lifecycle.ts";
import { type Interruption, OwnedRun } from "./owned-run.ts";
import { Turn } from "./turn.ts";

/** How often a model call under way is looked after. Milliseconds. */
const HEARTBEAT = 1_000;

/** A growing message is saved when it has grown by this factor: what is written in all stays proportional to its size. */
const GROWTH = 1.25;

/** What a model call came to. */
type Outcome =
  | { kind: "ending"; ending: Ending }
  | { kind: "calls" }
  | { kind: "trouble"; trouble: ModelTrouble }
  | { kind: "lost" }
  | typeof HANDED_BACK;

/** Does what is due for this run. Throws if the store fails: then the wake-up comes again. */
export async function wake(engine: Engine, job: WakeUp): Promise<void> {
  if (engine.drives.stopped) throw new Error("this instance is being stopped: another one gets the wake-up");
  const partition = engine.store.thread(job.tenant, job.thread);
  const claimed = job.look ? undefined : await claimQueued(engine, partition, job.run);
  const run = claimed ?? (await lookAt(engine, partition, job));
  if (run === undefined) return;
  const owned = new OwnedRun(partition, run, noSink, engine.config.runs.eventsTtl);
  if (run.internal.log.events === 0) for (const event of openingEvents(run)) owned.tell(event);
  try {
    await drive(engine, owned);
  } catch (error) {
    await letGo(engine, owned);
    throw error;
  }
}

/** Whoever gets a wake-up next need not wait for the lease's end. If even this fails, the lease ends by itself. */
export async function letGo(engine: Engine, owned: OwnedRun): Promise<void> {
  const { run } = owned;
  if (run.status !== "in_progress") return;
  await owned.write(givenBack(run, engine.now(), run.internal.attempts), []).catch(() => undefined);
}

/**
 * Claims a queued run without reading it first. Saves a round trip; and since a write reaches the newest version
 * always, a process that has never seen the thread cannot be misled by a stale read.
 */
async function claimQueued(
  engine: Engine,
  partition: Partition,
  runId: string,
): Promise<Versioned<RunDoc> | undefined> {
  const now = engine.now();
  const reserved = reserveIds(now, seqOfMintedId(runId));
  const { internal, ...fields } = claimFields(engine.owner, reserved, now, leaseDuration(engine));
  const result = await partition.patchIf<RunDoc>(
    runId,
    `c.status = 'queued' AND c.expires_at > ${now / 1000} AND c.internal.last_seq < '${seqOfMintedId(reserved.messageStep)}'`,
    { ...prefixed("", fields), ...prefixed("/internal", internal) },
  );
  return "doc" in result ? result.doc : undefined;
}

/** A run that is not simply queued: takes it over, ends it, or leaves it; answers with the run if it is to be driven. */
async function lookAt(engine: Engine, partition: Partition, job: WakeUp): Promise<Versioned<RunDoc> | undefined> {
  const run = await partition.read<RunDoc>(job.run);
  if (run === undefined || isTerminal(run.status)) return undefined;
  const now = engine.now();
  if (!isUnowned(run, now)) {
    // Its driver is alive as far as anybody knows. Look again when that would show.
    const until = run.internal.lease?.until ?? now;
    await engine.wakeUps.send({ ...job, look: true }, `${run.id}/lease/${until}`, until);
    return undefined;
  }
  const over = overdueEnding(run, now);
  if (over !== undefined) {
    await endUndriven(engine, partition, run, over);
    return undefined;
  }
  if (run.status === "requires_action") return undefined;
  const reserved = reserveIds(now, run.internal.last_seq);
  const next = claim(run, engine.owner, reserved, now, leaseDuration(engine));
  const result = await partition.batch([{ put: next, ifMatch: run._etag }]);
  // Refused: somebody else was faster.
  return result.ok ? { ...next, _etag: result.etags[0] ?? "" } : undefined;
}

/** How a run must end that nobody drives, if it must. */
function overdueEnding(run: RunDoc, now: number): Ending | undefined {
  if (run.status === "cancelling") return { status: "cancelled" };
  return isExpired(run, now) ? { status: "expired" } : undefined;
}

/**
 * Drives a claimed run to its next pause or its end, if it stays with this process so long. `window`: what the model gets
 * of the thread, if it has been read ahead.
 */
export function drive(engine: Engine, owned: OwnedRun, window?: Promise<MessageDoc[]>): Promise<Progress> {
  return engine.drives.run(async (stop) => {
    owned.tell(runEvent(owned.run, "in_progress"));
    const turn = new Turn(owned.run, reservedOf(owned.run), owned.tell, engine.now);
    const outcome = await callModel(engine, owned, turn, stop, window);
    switch (outcome.kind) {
      case "ending":
        return finish(engine, owned, turn, outcome.ending);
      case "calls":
        return pause(engine, owned, turn);
      case "trouble":
        return giveBack(engine, owned, turn, outcome.trouble);
      case "handed-back":
        return handBack(engine, owned, turn);
      case "lost":
        return lost(engine, owned);
    }
  });
}

async function callModel(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  stop: AbortController,
  window: Promise<MessageDoc[]> | undefined,
): Promise<Outcome> {
  const exhausted = exhaustedBudget(owned.run);
  if (exhausted !== undefined) return { kind: "ending", ending: { status: "incomplete", reason: exhausted } };
  const heartbeat = new Heartbeat(HEARTBEAT, beat(engine, owned, turn, stop));
  try {
    const request = await readContext(owned, engine.config.model.contextTokens, window);
    for (let attempts = owned.run.internal.attempts + 1; ; attempts++) {
      const trouble = await streamInto(engine, turn, request, stop.signal);
      if (trouble === "stopped") return stop.signal.reason as Outcome;
      if (trouble === undefined) return outcomeOf(turn);
      const again = engine.retriesInPlace && !turn.hasBegun;
      const delay = again ? retryDelay(engine, owned.run, trouble, attempts) : undefined;
      if (delay === undefined) return { kind: "trouble", trouble };
      await sleep(delay, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    await heartbeat.stop();
  }
}

/** One try of a model call: what went wrong, if anything did. */
async function streamInto(
  engine: Engine,
  turn: Turn,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<ModelTrouble | "stopped" | undefined> {
  try {
    let begun = false;
    for await (const chunk of engine.model.stream(request, signal)) {
      turn.apply(chunk);
      if (begun || !turn.hasBegun) continue;
      begun = true;
      await firstTokenLeaves();
    }
    if (turn.finishReason === null) throw new Error("the model's stream ended without a finish reason");
    turn.close();
    return undefined;
  } catch (error) {
    if (signal.aborted) return "stopped";
    engine.log.warn("model call failed", { model: request.model, error });
    return engine.model.trouble(error, request.model);
  }
}

/** A model that sends much at once has the process busy with all of it: the first piece must not wait for that. */
async function firstTokenLeaves(): Promise<void> {
  // Twice: a round of the event loop begins with what has come in, and that is where a socket goes on.
  await setImmediate();
  await setImmediate();
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

/** Saves what there is to save, keeps the lease alive, and stops the model call once nobody wants it any more. */
function beat(engine: Engine, owned: OwnedRun, turn: Turn, stop: AbortController): () => Promise<void> {
  let savedSize = 0;
  const interrupt = (outcome: Outcome) => stop.abort(outcome);
  const stopFor = (result: Interruption | "written" | "ours") => {
    if (result === "cancelling") interrupt({ kind: "ending", ending: { status: "cancelled" } });
    if (result === "lost") interrupt({ kind: "lost" });
  };
  return async () => {
    const now = engine.now();
    if (stop.signal.aborted) return;
    if (isExpired(owned.run, now)) return interrupt({ kind: "ending", ending: { status: "expired" } });
    try {
      const { size } = turn;
      const grown = size > 0 && size >= savedSize * GROWTH;
      const next = renewed(owned.run, now, leaseDuration(engine));
      if (grown) {
        stopFor(await owned.write(withOpen(next, turn), turn.documents));
        savedSize = size;
      } else if ((size > 0 && owned.hasUnloggedEvents) || leaseHalfOver(engine, owned.run, now)) {
        stopFor(await owned.write(next, []));
      } else stopFor(await owned.look());
    } catch (error) {
      // The store is in trouble. The lease tells how long that may go on before the run is somebody else's.
      engine.log.warn("checkpoint failed", { run: owned.run.id, error });
    }
  };
}

const leaseDuration = (engine: Engine) => engine.config.runs.lease * 1000;

const leaseHalfOver = (engine: Engine, run: RunDoc, now: number) =>
  (run.internal.lease?.until ?? 0) - now < leaseDuration(engine) / 2;

/** In the order in which a thread's lists show them. */
export function reserveIds(now: number, after: string): ReservedIds {
  const step = nextSeq(now, after);
  const message = nextSeq(now, step);
  const toolStep = nextSeq(now, message);
  return {
    messageStep: mintId("step", step),
    message: mintId("message", message),
    toolStep: mintId("step", toolStep),
  };
}

function reservedOf(run: RunDoc): ReservedIds {
  if (run.internal.reserved === null) throw new Error(`run ${run.id} is driven without reserved ids`);
  return run.internal.reserved;
}

const prefixed = (prefix: string, fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}/${name}`, value]));
