/** Messages of a thread: adding one and deleting one, each in one batch with the thread that counts them. */
import {
  messageInProgress,
  messagesLockedByRun,
  noMessageFound,
  noThreadFound,
  overloaded,
  updating,
} from "../resources/errors.ts";
import { nextSeq } from "../resources/ids.ts";
import type { CreateMessageRequest } from "../resources/message.ts";
import { isNewer, type MessageDoc, UNDERSTOOD } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import { draftMessages, userMessages } from "./draft.ts";
import { MAX_ATTEMPTS, type StaleLock, unlockedBefore } from "./lock.ts";
import { assertThreadExists, readThreadToWrite, threadExists } from "./read.ts";

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
    const thread = await readThreadToWrite(partition, threadId);
    const { active_run: activeRun, last_seq: newest } = thread.internal;
    if (activeRun !== null && !(await isStale(activeRun))) throw messagesLockedByRun(threadId, activeRun);
    // Another instance's clock is ahead of ours, or another message won: take a place behind that.
    after = newest;
  }
  throw overloaded(1);
}

/**
 * Deletes a message; throws the contract's 404, 503 if only a newer build understands it, or 400 while a run is writing
 * it. A message that was there and is gone when it is to be deleted counts as deleted: by a try of this request whose
 * answer got lost, or by another request.
 */
export async function deleteMessage(partition: Partition, threadId: string, id: string): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const message = await partition.read<MessageDoc>(id);
    if (message?.kind !== "message") {
      if (!(await threadExists(partition, threadId))) throw noThreadFound(threadId);
      if (attempt > 0) return;
      throw noMessageFound(id);
    }
    if (message.status === "in_progress") {
      await assertThreadExists(partition, threadId);
      // Its run would fail to write to it.
      throw messageInProgress(id, message.run_id);
    }
    if (isNewer(message)) throw updating(1);
    const count = { "/internal/user_messages": -userMessages([message]) };
    const result = await partition.batch([
      { delete: id, ifMatch: message._etag },
      // Not a mark: a message of a deleted thread is gone.
      { patch: threadId, add: count, condition: `c.kind = 'thread' AND ${UNDERSTOOD}` },
    ]);
    if (result.ok) return;
    await readThreadToWrite(partition, threadId);
  }
  throw overloaded(1);
}
