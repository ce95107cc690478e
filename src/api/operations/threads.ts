import { assertImages } from "../../files/images.ts";
import { deleted, listObject } from "../../resources/common.ts";
import { noThreadFound } from "../../resources/errors.ts";
import { MAX_METADATA_BODY, MAX_THREAD_BODY } from "../../resources/limits.ts";
import { createThreadRequest, deletedThreadObject, modifyThreadRequest, threadObject } from "../../resources/thread.ts";
import { apiObject, type DeletedThreadDoc, type ThreadDoc, threadSort } from "../../store/documents.ts";
import { assertResourcesExist } from "../../stores/resources.ts";
import { resourcesOfThread } from "../../threads/attachments.ts";
import { storeThread } from "../../threads/create.ts";
import * as threads from "../../threads/delete.ts";
import { draftThread } from "../../threads/draft.ts";
import { readThread } from "../../threads/read.ts";
import { operation } from "../operation.ts";
import { page, pageQuery } from "../paging.ts";

const createThread = operation({
  name: "createThread",
  summary: "Create a thread, with messages if there are any yet",
  method: "POST",
  path: "threads",
  body: createThreadRequest,
  maxBody: MAX_THREAD_BODY,
  response: threadObject,
  handler: async ({ app, tenant, body, now }) => {
    await assertImages(app, tenant, body.messages ?? []);
    const { thread, messages } = await draftThread(tenant, body, now);
    thread.tool_resources = await resourcesOfThread(app, tenant, body);
    await storeThread(app.store, tenant, thread, messages, app.now);
    return apiObject(thread);
  },
});

const listThreads = operation({
  name: "listThreads",
  only: "projects",
  summary: "List threads (only in the form of Azure AI's agents)",
  method: "GET",
  path: "threads",
  query: pageQuery,
  response: listObject(threadObject),
  handler: ({ app, tenant, query, now }) =>
    page<ThreadDoc>({ partition: app.store.threadsOf(tenant), sort: (seq) => threadSort(tenant, seq) }, query, now),
});

const getThread = operation({
  name: "getThread",
  summary: "Retrieve a thread",
  method: "GET",
  path: "threads/{thread_id}",
  response: threadObject,
  handler: async ({ app, tenant, params: { thread_id: id } }) =>
    apiObject(await readThread(app.store.thread(tenant, id), id)),
});

const modifyThread = operation({
  name: "modifyThread",
  summary: "Modify a thread's metadata and tool resources",
  method: "POST",
  path: "threads/{thread_id}",
  body: modifyThreadRequest,
  maxBody: MAX_METADATA_BODY,
  response: threadObject,
  handler: async ({ app, tenant, params: { thread_id: id }, body }) => {
    await assertResourcesExist(app, tenant, body.tool_resources ?? {});
    const partition = app.store.thread(tenant, id);
    const set: Record<string, unknown> = {};
    if (body.metadata !== undefined) set["/metadata"] = body.metadata;
    if (body.tool_resources !== undefined) set["/tool_resources"] = body.tool_resources;
    // A patch: a run may lock or free the thread at the same moment.
    const result = await partition.patchIf<ThreadDoc | DeletedThreadDoc>(id, "c.kind = 'thread'", set);
    // Without anything to set there was no condition, and a mark may stand in the thread's place.
    if ("refused" in result || result.doc.kind !== "thread") throw noThreadFound(id);
    return apiObject(result.doc);
  },
});

const deleteThread = operation({
  name: "deleteThread",
  summary: "Delete a thread with its messages, runs and steps",
  method: "DELETE",
  path: "threads/{thread_id}",
  response: deletedThreadObject,
  handler: async ({ app, tenant, params: { thread_id: id }, now }) => {
    const session = await threads.deleteThread(app.store, app.wakeUps, tenant, id, now);
    // Best effort: a session vanishes by itself.
    if (session !== undefined) void app.code()?.then((code) => code.open({ id: session }).discard());
    return deleted(id, "thread.deleted");
  },
});

export const threadOperations = [createThread, listThreads, getThread, modifyThread, deleteThread];
