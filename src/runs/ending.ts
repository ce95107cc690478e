/** How a model call is written back: the run ends, pauses for tool outputs, or is given back for another try. */
import type { WakeUp } from "../jobs/wake-ups.ts";
import { countMessageTokens } from "../model/tokens.ts";
import type { ModelTrouble } from "../model/trouble.ts";
import { addUsage } from "../resources/common.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import type { Partition, Versioned, Write } from "../store/partition.ts";
import type { Engine } from "./engine.ts";
import { logged } from "./event-log.ts";
import { beginningOf, messageEvent, type RunEvent, runEvent, stepEvent } from "./events.ts";
import { type Ending, ended, endedMessage, endedStep, givenBack, incompleteMessage, paused } from "./lifecycle.ts";
import { batchUnlocking, type OwnedRun, unlockThread } from "./owned-run.ts";
import type { Turn } from "./turn.ts";

/** First pause before a failed model call is repeated; doubled each time. Milliseconds. */
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 60_000;

/** Whether this process has brought a run to its pause or end, or leaves that to somebody else. */
export type Progress = "driven" | "left";

/** Ends the run with what the turn has written: one batch for run, steps, message and the thread's lock. */
export async function finish(engine: Engine, owned: OwnedRun, turn: Turn, ending: Ending): Promise<Progress> {
  const now = engine.now();
  const { tool_tokens: toolTokens } = owned.run.internal;
  const documents = await Promise.all(
    turn.documents.map((doc) =>
      doc.kind === "step"
        ? endedStep(doc, ending, now)
        : withTokens(endReply(doc, turn, ending, now), turn, toolTokens),
    ),
  );
  const before = owned.run;
  const run = ended(charged(before, turn), ending, now);
  const news = endingEvents(before, run, unsettled(documents, turn));
  const result = await owned.write(run, documents, leftovers(before, documents), news, unlockThread(run));
  if (result === "written") return "driven";
  // The cancel came first: it had been answered when this batch was refused.
  if (result === "cancelling" && ending.status !== "cancelled")
    return finish(engine, owned, turn, { status: "cancelled" });
  return lost(engine, owned);
}

/** Somebody else drives the run now, or it is gone. */
export function lost(engine: Engine, owned: OwnedRun): Progress {
  engine.log.info("run lost to another driver", { run: owned.run.id });
  return "left";
}

/** The model called functions of the client's: the run waits for their outputs and nobody holds it. */
export async function pause(engine: Engine, owned: OwnedRun, turn: Turn): Promise<Progress> {
  const called = turn.toolCalls;
  if (called === undefined) throw new Error("a run pauses for function calls only");
  const documents = await Promise.all(
    turn.documents.map((doc) => (doc.kind === "message" ? withTokens(doc, turn, owned.run.internal.tool_tokens) : doc)),
  );
  const run = withToolTokens(paused(charged(owned.run, turn), called.step, called.calls), turn.usage.completion_tokens);
  const news = [runEvent(run, "requires_action")];
  const result = await owned.write(run, documents, leftovers(owned.run, documents), news);
  if (result === "cancelling") return finish(engine, owned, turn, { status: "cancelled" });
  if (result === "lost") return lost(engine, owned);
  if (run.internal.due !== undefined) await engine.wakeUps.send(laterLook(run), `${run.id}/expiry`, run.internal.due);
  return "driven";
}

/** Another try later, by whoever comes first; or the end, if there is no point or no time. */
export async function giveBack(engine: Engine, owned: OwnedRun, turn: Turn, trouble: ModelTrouble): Promise<Progress> {
  const attempts = owned.run.internal.attempts + 1;
  const delay = engine.retriesInPlace ? undefined : retryDelay(engine, owned.run, trouble, attempts);
  if (delay === undefined) return finish(engine, owned, turn, { status: "failed", error: trouble.error });
  return release(engine, owned, turn, engine.now() + delay, attempts);
}

/** This process is being stopped: whoever gets the wake-up goes on at once. */
export function handBack(engine: Engine, owned: OwnedRun, turn: Turn): Promise<Progress> {
  return release(engine, owned, turn, engine.now(), owned.run.internal.attempts);
}

/** Nobody drives the run until `due` (milliseconds). */
async function release(engine: Engine, owned: OwnedRun, turn: Turn, due: number, attempts: number): Promise<Progress> {
  const run = givenBack(withOpen(owned.run, turn), due, attempts);
  // What has been said is stored with what was told of it: if the run ends before the next try, it ends too.
  const result = await owned.write(run, turn.documents);
  if (result === "cancelling") return finish(engine, owned, turn, { status: "cancelled" });
  if (result === "lost") return lost(engine, owned);
  await engine.wakeUps.send(laterLook(run), `${run.id}/again/${attempts}/${due}`, due);
  return "left";
}

/** The run that names what the turn has in the store, beside what a dead attempt left: the next try replaces it. */
export function withOpen(run: RunDoc, turn: Turn): RunDoc {
  const open = turn.documents.map((doc) => doc.id);
  return { ...run, internal: { ...run.internal, open: [...new Set([...run.internal.open, ...open])] } };
}

/** How long to wait before the `attempts`-th repetition of a model call; undefined if there is no point or no time. */
export function retryDelay(engine: Engine, run: RunDoc, trouble: ModelTrouble, attempts: number): number | undefined {
  if (!trouble.retryable || attempts >= engine.config.model.maxAttempts) return undefined;
  const delay = trouble.retryAfter ?? Math.min(FIRST_RETRY * 2 ** (attempts - 1), LONGEST_RETRY);
  const tooLate = run.expires_at !== null && engine.now() + delay >= run.expires_at * 1000;
  return tooLate ? undefined : delay;
}

/** Ends a run that nobody drives; answers with it, or with undefined if somebody else changed it first. */
export async function endUndriven(
  engine: Engine,
  partition: Partition,
  run: Versioned<RunDoc>,
  ending: Ending,
): Promise<Versioned<RunDoc> | undefined> {
  const now = engine.now();
  const open = await Promise.all(run.internal.open.map((id) => partition.read<StepDoc | MessageDoc>(id)));
  const documents = open
    .filter((doc) => doc !== undefined)
    .filter((doc) => doc.status === "in_progress")
    .map((doc) => (doc.kind === "step" ? endedStep(doc, ending, now) : endedMessage(doc, ending, now)));
  const last = ended(run, ending, now);
  // Nobody has told of a run that ends before it was ever driven, or whose driver died before its first write.
  const opening = run.internal.log.events === 0 ? beginningOf(run) : [];
  const news = [...opening, ...endingEvents(run, last, documents)];
  const { run: next, chunks } = logged(last, news, engine.config.runs.eventsTtl);
  const writes: Write[] = [
    { put: next, ifMatch: run._etag },
    ...[...documents, ...chunks].map((doc): Write => ({ put: doc })),
  ];
  const result = await batchUnlocking(partition, writes, unlockThread(next));
  return result.ok ? { ...next, _etag: result.etags[0] ?? "" } : undefined;
}

/** For a run that is queued. */
export const wakeUpOf = (run: RunDoc): WakeUp => ({ tenant: run.internal.tenant, thread: run.thread_id, run: run.id });

/** For a run that has an owner or is paused now. */
export const laterLook = (run: RunDoc): WakeUp => ({ ...wakeUpOf(run), look: true });

/** The run with this model call on its account. */
function charged(run: RunDoc, turn: Turn): RunDoc {
  const { internal } = run;
  return {
    ...run,
    internal: { ...internal, turns: internal.turns + 1, usage: addUsage(internal.usage, turn.usage) },
  };
}

/** The run with these many more tokens of function calls or outputs. */
export function withToolTokens(run: RunDoc, tokens: number): RunDoc {
  return { ...run, internal: { ...run.internal, tool_tokens: run.internal.tool_tokens + tokens } };
}

function endReply(message: MessageDoc, turn: Turn, ending: Ending, now: number): MessageDoc {
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

/** What a dead attempt had saved and this one did not write again. */
function leftovers(run: RunDoc, written: { id: string }[]): Write[] {
  return run.internal.open.filter((id) => !written.some((doc) => doc.id === id)).map((id) => ({ delete: id }));
}

/** The documents that the turn itself had not completed: their end is news. */
function unsettled(documents: (MessageDoc | StepDoc)[], turn: Turn): (MessageDoc | StepDoc)[] {
  const told = new Set(turn.documents.filter((doc) => doc.status !== "in_progress").map((doc) => doc.id));
  return documents.filter((doc) => !told.has(doc.id));
}

/** In the order of contract 4.1: the message, its step, the run. */
function endingEvents(before: RunDoc, run: RunDoc, documents: (MessageDoc | StepDoc)[]): RunEvent[] {
  const messages = documents.filter((doc) => doc.kind === "message");
  const steps = documents.filter((doc) => doc.kind === "step");
  return [
    // Whoever watches hears of the cancel too, which the client may have asked for elsewhere.
    ...(run.status === "cancelled" ? [runEvent({ ...before, status: "cancelling" }, "cancelling")] : []),
    ...messages.map((doc) => messageEvent(doc, doc.status)),
    ...steps.map((doc) => stepEvent(doc, doc.status)),
    runEvent(run, run.status),
  ];
}
