/** New threads and messages as documents, not yet stored; their tokens are counted here. */
import { countMessageTokens } from "../model/tokens.ts";
import { toSeconds } from "../resources/common.ts";
import { mintId, nextSeq } from "../resources/ids.ts";
import { assertStorable } from "../resources/limits.ts";
import { type CreateMessageRequest, newMessage } from "../resources/message.ts";
import { type CreateThreadRequest, newThread } from "../resources/thread.ts";
import { type MessageDoc, messageSort, type ThreadDoc, threadKey, threadSort } from "../store/documents.ts";

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

export const userMessages = (messages: MessageDoc[]) => messages.filter(({ role }) => role === "user").length;
