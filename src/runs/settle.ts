/**
 * How a drive is written back: the run ends, pauses for tool outputs, or is released for another attempt. What the
 * model has said is complete then, and a client may have heard it: these writes are tried again for as long as the run
 * lives, so that trouble with the store never throws an answer away.
 */
import { countMessageTokens } from "../model/tokens.ts";
import type { ModelTrouble } from "../model/trouble.ts";
import { addUsage } from "../resources/common.ts";
import { sessionId } from "../resources/ids.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import { type Patience, patienceWhile } from "../store/trouble.ts";
import type { Engine } from "./engine.ts";
import { endingEvents, runEvent } from "./events.ts";
import {
  type Ending,
  ended,
  endedMessage,
  endedStep,
  incompleteMessage,
  isExpired,
  paused,
  released,
} from "./lifecycle.ts";
import type { Changes, OwnedRun } from "./owned-run.ts";
import { replayedTokens } from "./tools/passing.ts";
import type { HostedWork } from "./tools/work.ts";
import type { Turn } from "./turn.ts";
import { lookAt } from "./wake.ts";

/** First pause before a failed model call is repeated; doubled each time. Milliseconds. */
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 60_000;

/** Whether this process has brought a run to its pause or end, or has left it to another one. */
export type Progress = "driven" | "left";

/** Ends the run with what the turn has written: one batch for run, steps, message and the thread's lock. */
export async function endDriven(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  ending: Ending,
  thread?: Changes["thread"],
): Promise<Progress> {
  const now = engine.now();
  turn.endText();
  const toolTokens = replayedTokens(owned.run);
  const documents = await Promise.all(
    unfinished(owned.run, turn).map((doc) =>
      doc.kind === "step"
        ? endedStep(doc, ending, now)
        : withTokens(endedReply(doc, turn, ending, now), turn, toolTokens),
    ),
  );
  const before = owned.run;
  const end = (run: RunDoc) => ended(charged(run, turn), ending, now);
  const result = await owned.write(end, {
    documents,
    leftovers: leftovers(before, documents),
    news: endingEvents(before, end(before), unsettled(documents, turn)),
    unlocks: true,
    thread,
    patience: whileAlive(engine, before),
  });
  if (result === "written") return "driven";
  // The cancel came first: it had been answered when this batch was refused.
  if (result === "cancelling" && ending.status !== "cancelled") {
    return endDriven(engine, owned, turn, { status: "cancelled" }, thread);
  }
  return leave(engine, owned);
}

/**
 * What the turn still has to write: all of it, or the step of its calls alone where the rest is stored for good. Its
 * client may have deleted that message since.
 */
export const unfinished = ({ internal }: RunDoc, turn: Turn): (MessageDoc | StepDoc)[] =>
  internal.pending === undefined ? turn.documents : turn.documents.filter(({ id }) => internal.open.includes(id));

/** Another process drives the run now, or it is gone. */
export function leave(engine: Engine, owned: OwnedRun): Progress {
  logOf(engine, owned.run).info("the run was taken over by another driver, or deleted");
  return "left";
}

/** The model called functions of the client's: the run waits for their outputs, without a driver. */
export async function pauseRun(engine: Engine, owned: OwnedRun, turn: Turn, work: HostedWork): Promise<Progress> {
  const called = turn.toolCalls;
  if (called === undefined) throw new Error("a run pauses for function calls only");
  const documents = await counted(unfinished(owned.run, turn), turn, owned.run);
  const pause = (run: RunDoc) => withWork(paused(charged(run, turn), called.step, called.calls), turn, work);
  const result = await owned.write(pause, {
    documents,
    leftovers: leftovers(owned.run, documents),
    news: [...turn.outputs, runEvent(pause(owned.run), "requires_action")],
    thread: work.thread,
    patience: whileAlive(engine, owned.run),
  });
  if (result === "cancelling") return endDriven(engine, owned, turn, { status: "cancelled" }, work.thread);
  if (result === "lost") return leave(engine, owned);
  const { run } = owned;
  if (run.internal.due !== undefined) await engine.wakeUps.send(lookAt(run), `${run.id}/expiry`, run.internal.due);
  return "driven";
}

/**
 * Why a driver lets a run go before its end:
 * - "model": its call failed and is repeated after `delay`
 * - "stopping": this process is being stopped; the next driver goes on at once
 * - "store": the context could not be read, so the model was not asked; repeated after `delay`
 * - "waits": files that it is to search are not ready yet, so the model was not asked; or there is no session for its
 *   code. Looked at again after `delay`
 *
 * Only the first one counts as an attempt. `delay` in milliseconds.
 */
export interface Release {
  reason: "model" | "stopping" | "store" | "waits";
  delay: number;
}

/** Leaves the run without a driver, and wakes the next one, which is to know `thread`, when its time has come. */
export async function releaseRun(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  { reason, delay }: Release,
  thread: Changes["thread"] = {},
): Promise<Progress> {
  const due = engine.now() + delay;
  turn.endText();
  // Calls that are to be done are stored already.
  const documents = owned.run.internal.pending === undefined ? turn.documents : [];
  const release = (run: RunDoc) => {
    const next = released(withOpen(run, documents), due, reason !== "model");
    return reason === "waits" ? { ...next, internal: { ...next.internal, waited: run.started_at } } : next;
  };
  // What has been said is stored with what was told of it: if the run ends before the next attempt, it ends too.
  const result = await owned.write(release, { documents, thread, patience: whileAlive(engine, owned.run) });
  if (result === "cancelling") {
    return endDriven(engine, owned, turn, { status: "cancelled" }, { ...sessionAfter(owned.run), ...thread });
  }
  if (result === "lost") return leave(engine, owned);
  const { run } = owned;
  await engine.wakeUps.send(lookAt(run), `${run.id}/${reason}/${run.internal.attempts}/${due}`, due);
  return "left";
}

/** What the thread is to know if a run ends whose code may still run: the next code must not wait for it. */
export const sessionAfter = ({ internal }: RunDoc): Record<string, string> =>
  internal.pending === undefined ? {} : { "code_session/id": sessionId() };

/** Schedules a retry of the model call, or fails the run if retrying is pointless or too late. */
export function settleTrouble(
  engine: Engine,
  owned: OwnedRun,
  turn: Turn,
  trouble: ModelTrouble,
  thread: Changes["thread"],
): Promise<Progress> {
  const delay = engine.retriesInPlace ? undefined : retryDelay(engine, owned.run, trouble);
  return delay === undefined
    ? endDriven(engine, owned, turn, { status: "failed", error: trouble.error }, thread)
    : releaseRun(engine, owned, turn, { reason: "model", delay }, thread);
}

/**
 * The run that names these documents, which are written with it, beside what a dead attempt left: the next attempt
 * replaces them.
 */
export function withOpen(run: RunDoc, documents: { id: string }[]): RunDoc {
  // No attempt replaces what is stored of a model call that is over.
  if (run.internal.pending !== undefined) return run;
  const open = documents.map((doc) => doc.id);
  return { ...run, internal: { ...run.internal, open: [...new Set([...run.internal.open, ...open])] } };
}

/**
 * How long to wait before the next attempt of a model call, in milliseconds; undefined if it is pointless or too late.
 */
export function retryDelay(engine: Engine, run: RunDoc, trouble: ModelTrouble): number | undefined {
  const { attempts } = run.internal;
  if (!trouble.retryable || attempts >= engine.config.model.maxAttempts) return undefined;
  const delay = trouble.retryAfter ?? Math.min(FIRST_RETRY * 2 ** (attempts - 1), LONGEST_RETRY);
  const tooLate = run.expires_at !== null && engine.now() + delay >= run.expires_at * 1000;
  return tooLate ? undefined : delay;
}

/** The run with these many more tokens of function calls or outputs. */
export function withToolTokens(run: RunDoc, tokens: number): RunDoc {
  return { ...run, internal: { ...run.internal, tool_tokens: run.internal.tool_tokens + tokens } };
}

/** The run with what the model has written to its tools and, of hosted ones, what it is to read. */
export function withWork(run: RunDoc, turn: Turn, work: HostedWork): RunDoc {
  const next = withToolTokens(run, turn.usage.completion_tokens + work.tokens);
  if (work.turns === 0) return next;
  const { passing_tokens: passed = 0, hosted_turns: turns = 0, images: before = [], ...rest } = next.internal;
  const images = [...(turn.reply === undefined ? before : []), ...work.images];
  const counts = { passing_tokens: passed + work.passing, hosted_turns: turns + work.turns };
  return { ...next, internal: { ...rest, ...counts, ...(images.length > 0 && { images }) } };
}

/** The engine's log, for entries about this run. */
export const logOf = (engine: Engine, { id, thread_id: thread, internal: { tenant, attempts } }: RunDoc) =>
  engine.log.with({ run: id, thread, tenant, attempt: attempts });

/** How long after its expiry a run is still worth writing to: what was said should be stored. Milliseconds. */
const AFTER_EXPIRY = 60_000;

/** The lease may end meanwhile: as long as no other process has changed the run, the batch is still accepted. */
export const whileAlive = (engine: Engine, run: RunDoc): Patience =>
  patienceWhile(() => !isExpired(run, engine.now() - AFTER_EXPIRY));

/** The run with this model call on its account, once. */
export function charged(run: RunDoc, turn: Turn): RunDoc {
  const { internal } = run;
  if (internal.pending !== undefined) return run;
  return {
    ...run,
    internal: { ...internal, turns: internal.turns + 1, usage: addUsage(internal.usage, turn.usage) },
  };
}

function endedReply(message: MessageDoc, turn: Turn, ending: Ending, now: number): MessageDoc {
  const filtered = ending.status === "failed" && turn.finishReason === "content_filter";
  if (filtered && message.status === "in_progress") {
    return incompleteMessage(message, "content_filter", now);
  }
  return endedMessage(message, ending, now);
}

/** The model has counted its own words, unless it was cut off. */
async function withTokens(message: MessageDoc, turn: Turn, toolTokens: number): Promise<MessageDoc> {
  const own = turn.usage.completion_tokens || (await countMessageTokens(message.content));
  return { ...message, internal: { ...message.internal, tokens: own + toolTokens } };
}

/** The documents of a turn; the message among them, if there is one, with its tokens. */
export const counted = (
  documents: (MessageDoc | StepDoc)[],
  turn: Turn,
  run: RunDoc,
): Promise<(MessageDoc | StepDoc)[]> =>
  Promise.all(documents.map((doc) => (doc.kind === "message" ? withTokens(doc, turn, replayedTokens(run)) : doc)));

/** What a dead attempt had saved and this one did not write again. */
export const leftovers = (run: RunDoc, written: { id: string }[]): string[] =>
  run.internal.open.filter((id) => !written.some((doc) => doc.id === id));

/** The documents that the turn itself had not completed: their end is news. */
function unsettled(documents: (MessageDoc | StepDoc)[], turn: Turn): (MessageDoc | StepDoc)[] {
  const told = new Set(turn.documents.filter((doc) => doc.status !== "in_progress").map((doc) => doc.id));
  return documents.filter((doc) => !told.has(doc.id));
}
