import { z } from "zod";
import { assertImages } from "../../files/images.ts";
import { deleted, listObject } from "../../resources/common.ts";
import { noMessageFound } from "../../resources/errors.ts";
import { MAX_METADATA_BODY } from "../../resources/limits.ts";
import {
  createMessageRequest,
  deletedMessageObject,
  messageObject,
  modifyMessageRequest,
} from "../../resources/message.ts";
import { staleLock } from "../../runs/commands.ts";
import { apiObject, type MessageDoc, messageSort } from "../../store/documents.ts";
import { attachToThread } from "../../threads/attachments.ts";
import * as threads from "../../threads/messages.ts";
import { assertThreadExists, readThread } from "../../threads/read.ts";
import { operation } from "../operation.ts";
import { existing, page, pageQuery } from "../paging.ts";

const createMessage = operation({
  name: "createMessage",
  summary: "Add a message to a thread",
  method: "POST",
  path: "threads/{thread_id}/messages",
  body: createMessageRequest,
  response: messageObject,
  handler: async ({ app, tenant, params: { thread_id: id }, body, now }) => {
    await assertImages(app, tenant, [body]);
    const isStale = staleLock(app.engine, app.store.thread(tenant, id), id);
    await attachToThread(app, tenant, id, [body], isStale);
    return apiObject(await threads.addMessage(app.store, tenant, id, body, now, isStale));
  },
});

const listMessages = operation({
  name: "listMessages",
  summary: "List the messages of a thread",
  method: "GET",
  path: "threads/{thread_id}/messages",
  query: pageQuery.extend({ run_id: z.string().optional() }),
  response: listObject(messageObject),
  handler: async ({ app, tenant, params: { thread_id: id }, query, now }) => {
    const partition = app.store.thread(tenant, id);
    const messages = page<MessageDoc>({ partition, sort: messageSort, runId: query.run_id }, query, now);
    return existing(readThread(partition, id), messages);
  },
});

const getMessage = operation({
  name: "getMessage",
  summary: "Retrieve a message",
  method: "GET",
  path: "threads/{thread_id}/messages/{message_id}",
  response: messageObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, message_id: id } }) => {
    const partition = app.store.thread(tenant, threadId);
    const message = await existing(assertThreadExists(partition, threadId), partition.read<MessageDoc>(id));
    if (message?.kind !== "message") throw noMessageFound(id);
    return apiObject(message);
  },
});

const modifyMessage = operation({
  name: "modifyMessage",
  summary: "Modify a message's metadata",
  method: "POST",
  path: "threads/{thread_id}/messages/{message_id}",
  body: modifyMessageRequest,
  maxBody: MAX_METADATA_BODY,
  response: messageObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, message_id: id }, body }) => {
    const partition = app.store.thread(tenant, threadId);
    const set = body.metadata === undefined ? {} : { "/metadata": body.metadata };
    const patched = partition.patchIf<MessageDoc>(id, "c.kind = 'message'", set);
    const result = await existing(assertThreadExists(partition, threadId), patched);
    if ("refused" in result) throw noMessageFound(id);
    return apiObject(result.doc);
  },
});

const deleteMessage = operation({
  name: "deleteMessage",
  summary: "Delete a message",
  method: "DELETE",
  path: "threads/{thread_id}/messages/{message_id}",
  response: deletedMessageObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, message_id: id } }) => {
    await threads.deleteMessage(app.store.thread(tenant, threadId), threadId, id);
    return deleted(id, "thread.message.deleted");
  },
});

export const messageOperations = [createMessage, listMessages, getMessage, modifyMessage, deleteMessage];
