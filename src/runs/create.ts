/** Creates runs: a run takes its thread's lock in the batch that creates it. */
import type { Assistant } from "../resources/assistant.ts";
import { type ChosenParameter, chosenIn } from "../resources/chosen.ts";
import { NO_USAGE, type Tool, type ToolResources, toSeconds } from "../resources/common.ts";
import { noRunFound, noThreadFound, nothingToRun, overloaded, threadHasActiveRun } from "../resources/errors.ts";
import { mintId, nextSeq } from "../resources/ids.ts";
import { assertStorable, assertStorableTogether } from "../resources/limits.ts";
import { type CreateRunRequest, isTerminal, newRun, type Run } from "../resources/run.ts";
import { CODE_TOOL_VERSION, HOSTED_TOOLS_VERSION } from "../resources/schema-version.ts";
import {
  type MessageDoc,
  type RunDoc,
  type RunInternal,
  runSort,
  type SnapshotDoc,
  threadKey,
} from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import { snapshotOf } from "../store/snapshots.ts";
import type { Write } from "../store/writes.ts";
import { traceparent } from "../telemetry/telemetry.ts";
import { draftMessages, userMessages } from "../threads/draft.ts";
import { MAX_ATTEMPTS, type StaleLock, unlockedBefore } from "../threads/lock.ts";
import { assertThreadExists, readThreadToWrite, threadExists } from "../threads/read.ts";
import { WAKE_UP_GRACE } from "./lifecycle.ts";
import { tellCreated } from "./run-span.ts";

/** An assistant, and what is known of it beside its fields. */
export type StoredAssistant = Assistant & { internal?: { chosen?: ChosenParameter[] } };

export interface RunDraft {
  partition: Partition;
  tenant: string;
  threadId: string;
  assistant: StoredAssistant;
  request: CreateRunRequest;
  /** milliseconds since 1970 */
  now: number;
  /** seconds */
  lifetime: number;
  /** whether the request has just created the thread */
  isThreadNew: boolean;
  /** what the run uses instead of what its assistant has */
  toolResources?: ToolResources | undefined;
  /** for a run that is driven from the start: what its first version is to be */
  claim?: ((queued: RunDoc) => RunDoc) | undefined;
  isStale: StaleLock;
}

export interface CreatedRun {
  /** as the client hears of it first */
  queued: RunDoc;
  /** as it is stored */
  stored: Versioned<RunDoc>;
}

/** Creates a run, with its additional messages, if the thread is free; throws the contract's 404 or 400. */
export async function createRun(draft: RunDraft): Promise<CreatedRun> {
  const { partition, tenant, threadId, now } = draft;
  let after = nextSeq(now);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const additional = draft.request.additional_messages ?? [];
    const messages = await draftMessages(tenant, threadId, additional, now, after);
    assertStorableTogether(messages.docs, "additional_messages");
    const run = draftRun(draft, nextSeq(now, messages.lastSeq));
    const snapshot = snapshotOf(run);
    assertStorable(snapshot ?? run, null);
    if (snapshot !== undefined) run.internal.snapshot = snapshot.id;
    const known = snapshot === undefined ? undefined : await knownSnapshots(draft);
    const added = userMessages(messages.docs);
    const needsUserMessage = saysNothing(run, added);
    const stored = draft.claim?.(run) ?? run;
    const result = await partition.batch([
      {
        patch: threadId,
        set: {
          "/internal/active_run": run.id,
          "/internal/last_seq": run.internal.last_seq,
          ...namedSnapshots(snapshot, known),
        },
        add: { "/internal/user_messages": added },
        condition:
          unlockedBefore(run.internal.last_seq) + (needsUserMessage ? " AND c.internal.user_messages > 0" : ""),
      },
      ...messages.docs.map((doc): Write => ({ create: doc })),
      ...(snapshot === undefined || known?.includes(snapshot.id) ? [] : [{ put: snapshot }]),
      { create: stored },
    ]);
    if (result.ok) {
      tellCreated(run);
      return { queued: run, stored: { ...stored, _etag: result.etags.at(-1) ?? "" } };
    }
    after = await placeAfterRefusal(partition, draft, needsUserMessage);
  }
  throw overloaded(1);
}

/**
 * Throws the 400 for a run that is too large, or has nothing to go on: asked before a thread with these messages is
 * created for it.
 */
export function assertCreatable(draft: DraftOfRun, messages: MessageDoc[]): void {
  const run = draftRun(draft, nextSeq(draft.now));
  assertStorable(snapshotOf(run) ?? run, null);
  if (saysNothing(run, userMessages(messages))) throw nothingToRun();
}

/** Whether the model would get no words but those of the thread. `added`: messages of the user. */
const saysNothing = ({ instructions }: RunDoc, added: number) => (instructions ?? "") === "" && added === 0;

/** How many snapshots a thread remembers: with more assistants than that, one is written again now and then. */
const MOST_SNAPSHOTS = 16;

/** The snapshots that are in the thread's partition already. */
async function knownSnapshots({ partition, threadId, isThreadNew }: RunDraft): Promise<string[]> {
  return isThreadNew ? [] : ((await readThreadToWrite(partition, threadId)).internal.snapshots ?? []);
}

/** What the thread is to remember, if that is new. */
function namedSnapshots(snapshot: SnapshotDoc | undefined, known: string[] = []): Record<string, unknown> {
  if (snapshot === undefined || known.includes(snapshot.id)) return {};
  return { "/internal/snapshots": [snapshot.id, ...known].slice(0, MOST_SNAPSHOTS) };
}

/** Why the thread did not take the run: an answer for the client, or only that its place was taken. */
async function placeAfterRefusal(partition: Partition, draft: RunDraft, needsUserMessage: boolean): Promise<string> {
  const { threadId, isStale } = draft;
  const thread = await readThreadToWrite(partition, threadId);
  const { active_run: activeRun, last_seq: newest, user_messages: count } = thread.internal;
  if (activeRun !== null && !(await isStale(activeRun))) throw threadHasActiveRun(threadId, activeRun);
  if (needsUserMessage && count === 0) throw nothingToRun();
  return newest;
}

type DraftOfRun = Pick<
  RunDraft,
  "tenant" | "threadId" | "assistant" | "request" | "now" | "lifetime" | "toolResources"
>;

function draftRun(draft: DraftOfRun, seq: string): RunDoc {
  const trace = traceparent();
  const { tenant, threadId, assistant, request, now, lifetime } = draft;
  const run = newRun(request, assistant, mintId("run", seq), threadId, toSeconds(now), lifetime);
  return {
    ...run,
    pk: threadKey(tenant, threadId),
    kind: "run",
    internal: {
      sort: runSort(seq),
      tenant,
      due: now + WAKE_UP_GRACE,
      lease: null,
      reserved: null,
      last_seq: seq,
      attempts: 0,
      open: [],
      turns: 0,
      usage: NO_USAGE,
      tool_tokens: 0,
      chosen: [...new Set([...(assistant.internal?.chosen ?? []), ...chosenIn(request)])],
      log: { chunks: 0, events: 0 },
      ...(trace !== undefined && { trace }),
      ...hosting(run, draft),
    },
  };
}

/** What a run that may use hosted tools knows beside the others. Older builds leave it alone. */
function hosting({ tools }: Run, { assistant, toolResources }: DraftOfRun): Partial<RunInternal> {
  const has = (type: Tool["type"]) => tools.some((tool) => tool.type === type);
  const stores = toolResources?.file_search ?? assistant.tool_resources.file_search;
  const files = toolResources?.code_interpreter ?? assistant.tool_resources.code_interpreter;
  return {
    ...(has("file_search") && { v: HOSTED_TOOLS_VERSION, vector_stores: stores?.vector_store_ids ?? [] }),
    ...(has("code_interpreter") && { v: CODE_TOOL_VERSION, code_files: files?.file_ids ?? [] }),
  };
}

export async function readRun(partition: Partition, threadId: string, runId: string): Promise<Versioned<RunDoc>> {
  const run = await partition.read<RunDoc>(runId);
  // A thread is deleted together with its active run: only a run that has ended may be a deleted thread's.
  if (run?.kind === "run" && isTerminal(run.status)) await assertThreadExists(partition, threadId);
  if (run?.kind === "run") return run;
  throw (await threadExists(partition, threadId)) ? noRunFound(runId) : noThreadFound(threadId);
}
