/** Starts runs: creates them, and either wakes a worker or drives them here while a client listens. */
import type { ToolResources } from "../resources/common.ts";
import type { CreateRunRequest } from "../resources/run.ts";
import type { MessageDoc, RunDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { claimedHere } from "./claim.ts";
import { staleLock } from "./commands.ts";
import { readWindow } from "./context-window.ts";
import { type CreatedRun, createRun, type StoredAssistant } from "./create.ts";
import { drive } from "./drive.ts";
import type { Engine } from "./engine.ts";
import { errorEvent, openingEvents, type RunEvent, type Sink } from "./events.ts";
import { OwnedRun } from "./owned-run.ts";
import { logOf } from "./settle.ts";
import { lookAt, wakeUpOf } from "./wake.ts";

export interface NewRun {
  tenant: string;
  threadId: string;
  assistant: StoredAssistant;
  request: CreateRunRequest;
  /** milliseconds since 1970 */
  now: number;
  /** what a stream tells before the run itself: that its thread was created, if the same request did that */
  before: RunEvent[];
  isThreadNew: boolean;
  /** what the run uses instead of what its assistant has */
  toolResources?: ToolResources | undefined;
}

/** A run in the background; throws the contract's 404 or 400. */
export async function startRun(engine: Engine, start: NewRun): Promise<RunDoc> {
  const { queued } = await create(engine, start);
  await engine.wakeUps.send(wakeUpOf(queued), `${queued.id}/created`);
  return queued;
}

/** A run that this process drives: call `listen` for its events. Throws the contract's 404 or 400. */
export async function startStreamedRun(engine: Engine, start: NewRun): Promise<StreamedRun> {
  const partition = engine.store.thread(start.tenant, start.threadId);
  let window: Promise<MessageDoc[]> | undefined;
  const { queued, stored } = await create(engine, start, (run) => {
    window = readAhead(engine, start, run);
    const claimed = claimedHere(engine, run);
    if (start.before.length === 0) return claimed;
    return { ...claimed, internal: { ...claimed.internal, begins_with_thread: true as const } };
  });
  const events = [...start.before, ...openingEvents(queued)];
  return { partition, run: stored, opening: { events, logged: false }, window };
}

/** Reads with the account's freshness, as the HTTP face does: another instance may have written to the thread last. */
function create(engine: Engine, start: NewRun, claim?: (queued: RunDoc) => RunDoc): Promise<CreatedRun> {
  const { lifetime } = engine.config.runs;
  const partition = engine.store.with("account").thread(start.tenant, start.threadId);
  const isStale = staleLock(engine, partition, start.threadId);
  return createRun({ ...start, partition, lifetime, claim, isStale });
}

/**
 * Reads what the model gets while the run is still being stored: one round trip less before its first token. A message
 * that comes in between has a later place than the run and makes the store refuse it (docs/architecture.md). Nothing
 * has been written yet that tells the store how new the read must be, and another instance may have written the last
 * message: the read is as fresh as the account, and where that is not enough the window is read when the run is stored.
 */
function readAhead(engine: Engine, start: NewRun, run: RunDoc): Promise<MessageDoc[]> | undefined {
  if (start.request.additional_messages?.length || !engine.store.consistency.isStrong) return undefined;
  const partition = engine.store.with("account").thread(start.tenant, start.threadId);
  const window = readWindow(run, partition, engine.config.model.contextTokens);
  // The store may refuse the run: then the window is not asked for, and its failure is not news.
  window.catch(() => undefined);
  return window;
}

/** A claimed run whose client listens. */
export interface StreamedRun {
  partition: Partition;
  run: Versioned<RunDoc>;
  /** what its stream says before the run is driven; `logged` tells whether the run's event log has it already */
  opening: { events: RunEvent[]; logged: boolean };
  /** the run's messages, if they are being read already */
  window?: Promise<MessageDoc[]> | undefined;
}

/**
 * Drives a claimed run and pushes its events; resolves after the last one. The run goes on if the client leaves; and if
 * this process dies, a wake-up at the lease's end brings a worker that takes it over. Never throws.
 */
export async function driveStreamed(engine: Engine, streamed: StreamedRun, push: Sink): Promise<void> {
  const { partition, run, opening, window } = streamed;
  const owned = new OwnedRun(partition, run, push, engine.config.runs.eventsTtl);
  for (const event of opening.events) (opening.logged ? push : owned.tell)(event);
  const until = run.internal.lease?.until ?? engine.now();
  void engine.wakeUps.send(lookAt(run), `${run.id}/takeover/${until}`, until);
  try {
    const progress = await drive({ ...engine, retriesInPlace: true }, owned, window);
    if (progress === "driven") return;
    push(errorEvent("This stream ends early: its instance does not drive the run any more."));
  } catch (error) {
    // The wake-up at the lease's end brings a worker that goes on with the run.
    logOf(engine, owned.run).error("a streamed run could not be written; a worker takes it over", { error });
    push(errorEvent("The server had an error while it streamed this run. The run goes on."));
  }
}
