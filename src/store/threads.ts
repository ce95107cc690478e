/** Threads and their messages: what is written together, and under which condition. */
import { countMessageTokens } from "../model/tokens.ts";
import { toSeconds } from "../resources/common.ts";
import {
  messageInProgress,
  messagesLockedByRun,
  noMessageFound,
  noThreadFound,
  overloaded,
} from "../resources/errors.ts";
import { mintId, nextSeq } from "../resources/ids.ts";
import { assertStorable } from "../resources/limits.ts";
import { type CreateMessageRequest, newMessage } from "../resources/message.ts";
import { type CreateThreadRequest, newThread } from "../resources/thread.ts";
import {
  type DeletedThreadDoc,
  type MessageDoc,
  messageSort,
  type ThreadDoc,
  threadKey,
  threadSort,
} from "./documents.ts";
import { MAX_BATCH_BYTES, MAX_BATCH_WRITES, sizeOf } from "./limits.ts";
import type { Partition, Versioned, Write } from "./partition.ts";
import type { Store } from "./store.ts";

/** A thread with its first messages, not yet stored. `now` in milliseconds. */
export async function draftThread(tenant: string, request: CreateThreadRequest, now: number) {
  const seq = nextSeq(now);
  const id = mintId("thread", seq);
  const messages = await draftMessages(tenant, id, request.messages ?? [], now, seq);
  const thread: ThreadDoc = {
    ...newThread(request, id, toSeconds(now)),
    pk: threadKey(tenant, id),
    kind: "thread",
    internal: {
      sort: threadSort(tenant, seq),
      active_run: null,
      last_seq: messages.lastSeq,
      user_messages: userMessages(messages.docs),
    },
  };
  return { thread, messages: messages.docs };
}

/** Messages in the order given, each later than `after`. */
export async function draftMessages(
  tenant: string,
  threadId: string,
  requests: CreateMessageRequest[],
  now: number,
  after: string,
): Promise<{ docs: MessageDoc[]; lastSeq: string }> {
  let lastSeq = after;
  const docs: MessageDoc[] = [];
  for (const request of requests) {
    lastSeq = nextSeq(now, lastSeq);
    const message = newMessage(request, mintId("message", lastSeq), threadId, toSeconds(now));
    const doc: MessageDoc = {
      ...message,
      pk: threadKey(tenant, threadId),
      kind: "message",
      internal: { sort: messageSort(lastSeq), tokens: await countMessageTokens(message.content), follows_tools: false },
    };
    assertStorable(doc, "content");
    docs.push(doc);
  }
  return { docs, lastSeq };
}

/** The thread document comes last: until it is there, nobody can see the messages of a half-written thread. */
export async function storeThread(store: Store, tenant: string, thread: ThreadDoc, messages: MessageDoc[]) {
  const partition = store.thread(tenant, thread.id);
  for (const batch of inBatches([...messages, thread].map((doc): Write => ({ create: doc })))) {
    const result = await partition.batch(batch);
    if (!result.ok) throw new Error(`creating a thread was refused with status ${result.status}`);
  }
}

export async function readThread(partition: Partition, threadId: string): Promise<Versioned<ThreadDoc>> {
  const thread = await partition.read<ThreadDoc>(threadId);
  if (thread?.kind !== "thread") throw noThreadFound(threadId);
  return thread;
}

/** Asked after a miss: is it the thread that does not exist? */
export async function threadExists(partition: Partition, threadId: string): Promise<boolean> {
  return (await partition.read<ThreadDoc>(threadId))?.kind === "thread";
}

/** How often a place in a thread is tried for while others keep taking it. */
export const MAX_ATTEMPTS = 10;

/** Whether a run that holds a thread should not any more, its time being over; if so, it has been ended. */
export type StaleLock = (runId: string) => Promise<boolean>;

/** Adds a message unless a run holds the thread. One batch; throws the contract's 404 or 400. */
export async function addMessage(
  store: Store,
  tenant: string,
  threadId: string,
  request: CreateMessageRequest,
  now: number,
  isStale: StaleLock,
): Promise<MessageDoc> {
  const partition = store.thread(tenant, threadId);
  let after = nextSeq(now);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const { docs, lastSeq } = await draftMessages(tenant, threadId, [request], now, after);
    const [message] = docs;
    if (message === undefined) throw new Error("one request makes one message");
    const set = { "/internal/last_seq": lastSeq };
    const add = { "/internal/user_messages": userMessages(docs) };
    const result = await partition.batch([
      { patch: threadId, set, add, condition: unlockedBefore(lastSeq) },
      { create: message },
    ]);
    if (result.ok) return message;
    const thread = await readThread(partition, threadId);
    const { active_run: activeRun, last_seq: newest } = thread.internal;
    if (activeRun !== null && !(await isStale(activeRun))) throw messagesLockedByRun(threadId, activeRun);
    // Another instance's clock is ahead of ours, or another message won: take a place behind that.
    after = newest;
  }
  throw overloaded(1);
}

export const userMessages = (messages: MessageDoc[]) => messages.filter(({ role }) => role === "user").length;

/** Deletes a message; throws the contract's 404, or 400 while a run is writing it. */
export async function deleteMessage(partition: Partition, threadId: string, id: string): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const message = await partition.read<MessageDoc>(id);
    if (message === undefined) {
      throw (await threadExists(partition, threadId)) ? noMessageFound(id) : noThreadFound(threadId);
    }
    // Its run would fail to write to it.
    if (message.status === "in_progress") throw messageInProgress(id, message.run_id);
    const result = await partition.batch([
      { delete: id, ifMatch: message._etag },
      { patch: threadId, add: { "/internal/user_messages": -userMessages([message]) } },
    ]);
    if (result.ok) return;
  }
  throw overloaded(1);
}

/** The condition under which a thread takes something new at the place `seq`. */
export const unlockedBefore = (seq: string) => `c.internal.active_run = null AND c.internal.last_seq < '${seq}'`;

/** Splits writes so that each batch keeps Cosmos DB's limits of number and size. */
export function inBatches(writes: Write[]): Write[][] {
  const batches: Write[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const write of writes) {
    const bytes = sizeOf(write);
    const current = batches.at(-1);
    if (current === undefined || current.length >= MAX_BATCH_WRITES || size + bytes > MAX_BATCH_BYTES) {
      batches.push([write]);
      size = bytes;
    } else {
      current.push(write);
      size += bytes;
    }
  }
  return batches;
}

/** How much of a deleted thread a request clears away itself; the sweep does the rest of longer ones. Documents. */
const PURGE_AT_ONCE = 1_000;

/** How soon the sweep looks after a deletion that did not finish. Milliseconds. */
const PURGE_GRACE = 5_000;

/**
 * Deletes a thread: first its own document becomes a mark that nobody takes for a thread, so that it is gone for
 * everybody at once and no run can write to it; then all that it held goes, and the mark last.
 */
export async function deleteThread(store: Store, tenant: string, threadId: string, now: number): Promise<void> {
  const partition = store.thread(tenant, threadId);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const thread = await readThread(partition, threadId);
    const mark: DeletedThreadDoc = {
      id: threadId,
      pk: threadKey(tenant, threadId),
      kind: "deleted_thread",
      internal: { tenant, due: now + PURGE_GRACE },
    };
    const result = await partition.batch([{ put: mark, ifMatch: thread._etag }]);
    if (result.ok) return purgeThread(partition, threadId, PURGE_AT_ONCE);
  }
  throw overloaded(1);
}

/** Clears away what a deleted thread held, up to about `limit` documents, and its mark once nothing else is left. */
export async function purgeThread(partition: Partition, threadId: string, limit: number): Promise<void> {
  for (let deleted = 0; deleted < limit; ) {
    const ids = (await partition.ids(MAX_BATCH_WRITES)).filter((id) => id !== threadId);
    if (ids.length === 0) {
      await partition.delete(threadId);
      return;
    }
    const result = await partition.batch(ids.map((id) => ({ delete: id })));
    // 404: somebody else clears the same away, or an event log's time was over. Look again at what is left.
    if (!result.ok && result.status !== 404) throw new Error(`clearing a thread was refused with ${result.status}`);
    deleted += ids.length;
  }
}
