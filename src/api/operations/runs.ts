import type { App } from "../../app.ts";
import { assertImages } from "../../files/images.ts";
import { listObject } from "../../resources/common.ts";
import { MAX_METADATA_BODY, MAX_RUN_BODY, MAX_THREAD_AND_RUN_BODY } from "../../resources/limits.ts";
import {
  createRunRequest,
  createThreadAndRunRequest,
  modifyRunRequest,
  runObject,
  submitToolOutputsRequest,
} from "../../resources/run.ts";
import * as commands from "../../runs/commands.ts";
import { assertCreatable } from "../../runs/create.ts";
import type { RunEvent } from "../../runs/events.ts";
import type { NewRun } from "../../runs/start.ts";
import { apiObject, type RunDoc, runSort } from "../../store/documents.ts";
import { assertResourcesExist } from "../../stores/resources.ts";
import { attachToThread, resourcesOfThread } from "../../threads/attachments.ts";
import { storeThread } from "../../threads/create.ts";
import { draftThread } from "../../threads/draft.ts";
import { readThread } from "../../threads/read.ts";
import type { Connection } from "../connections.ts";
import { type Include, includeQuery } from "../include.ts";
import { operation } from "../operation.ts";
import { existing, page, pageQuery } from "../paging.ts";
import { runStarts, streamRun } from "../streaming.ts";
import { readAssistantToUse } from "./assistants.ts";

/** A run that needs a worker is refused while too many of its tenant wait for one. Asked before anything is stored. */
function admit(app: App, tenant: string, request: { stream?: boolean | null | undefined }): void {
  if (request.stream !== true) app.backlog.admit(tenant);
}

/** Answers with the queued run, or with the stream of its events. */
async function start(app: App, run: NewRun, connection: Connection | undefined, query?: Include) {
  const { startRun, startStreamedRun } = await runStarts();
  if (run.request.stream === true) return streamRun(app, await startStreamedRun(app.engine, run), connection, query);
  return apiObject(await startRun(app.engine, run));
}

const createRun = operation({
  name: "createRun",
  summary: "Run an assistant on a thread",
  method: "POST",
  path: "threads/{thread_id}/runs",
  query: includeQuery,
  body: createRunRequest,
  maxBody: MAX_RUN_BODY,
  response: runObject,
  streams: true,
  handler: async ({ app, tenant, params: { thread_id: threadId }, query, body, now, connection }) => {
    admit(app, tenant, body);
    const assistant = await readAssistantToUse(app.store, tenant, body.assistant_id);
    await assertImages(app, tenant, body.additional_messages ?? []);
    const isStale = commands.staleLock(app.engine, app.store.thread(tenant, threadId), threadId);
    await attachToThread(app, tenant, threadId, body.additional_messages ?? [], isStale);
    const run = { tenant, threadId, assistant, request: body, now, before: [], isThreadNew: false };
    return start(app, run, connection, query);
  },
});

const createThreadAndRun = operation({
  name: "createThreadAndRun",
  summary: "Create a thread and run an assistant on it",
  method: "POST",
  path: "threads/runs",
  body: createThreadAndRunRequest,
  maxBody: MAX_THREAD_AND_RUN_BODY,
  response: runObject,
  streams: true,
  handler: async ({ app, tenant, body, now, connection }) => {
    admit(app, tenant, body);
    // The assistant first: a wrong id must not leave a thread behind.
    const assistant = await readAssistantToUse(app.store, tenant, body.assistant_id);
    const { thread: threadRequest, tool_resources: toolResources, ...request } = body;
    await assertImages(app, tenant, threadRequest?.messages ?? []);
    await assertResourcesExist(app, tenant, toolResources ?? {});
    const { thread, messages } = await draftThread(tenant, threadRequest ?? {}, now);
    // A run that is refused must not leave a thread behind either.
    const { lifetime } = app.config.runs;
    const draft = { tenant, threadId: thread.id, assistant, request, now, lifetime, toolResources };
    assertCreatable(draft, messages);
    thread.tool_resources = await resourcesOfThread(app, tenant, threadRequest ?? {});
    await storeThread(app.store, tenant, thread, messages, app.now);
    const before: RunEvent[] = [{ event: "thread.created", data: apiObject(thread) }];
    const run = { tenant, threadId: thread.id, assistant, request, now, before, isThreadNew: true, toolResources };
    return start(app, run, connection);
  },
});

const listRuns = operation({
  name: "listRuns",
  summary: "List the runs of a thread",
  method: "GET",
  path: "threads/{thread_id}/runs",
  query: pageQuery,
  response: listObject(runObject),
  handler: async ({ app, tenant, params: { thread_id: id }, query, now }) => {
    const partition = app.store.thread(tenant, id);
    return existing(readThread(partition, id), page<RunDoc>({ partition, sort: runSort }, query, now));
  },
});

const refOf = (app: App, tenant: string, threadId: string, runId: string) => ({
  partition: app.store.thread(tenant, threadId),
  threadId,
  runId,
});

const getRun = operation({
  name: "getRun",
  summary: "Retrieve a run",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}",
  response: runObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id } }) =>
    apiObject(await commands.currentRun(app.engine, refOf(app, tenant, threadId, id))),
});

const modifyRun = operation({
  name: "modifyRun",
  summary: "Modify the metadata of a run that has ended",
  method: "POST",
  path: "threads/{thread_id}/runs/{run_id}",
  body: modifyRunRequest,
  maxBody: MAX_METADATA_BODY,
  response: runObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id }, body }) =>
    apiObject(await commands.modifyRun(app.engine, refOf(app, tenant, threadId, id), body.metadata)),
});

const cancelRun = operation({
  name: "cancelRun",
  summary: "Cancel a run",
  method: "POST",
  path: "threads/{thread_id}/runs/{run_id}/cancel",
  response: runObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id } }) =>
    apiObject(await commands.cancelRun(app.engine, refOf(app, tenant, threadId, id))),
});

const submitToolOutputs = operation({
  name: "submitToolOutputs",
  summary: "Give a paused run the outputs of its function calls",
  method: "POST",
  path: "threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
  body: submitToolOutputsRequest,
  response: runObject,
  streams: true,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id }, body, connection }) => {
    const streams = body.stream === true;
    const ref = refOf(app, tenant, threadId, id);
    const { run, events } = await commands.submitToolOutputs(app.engine, ref, body, streams);
    if (!streams) return apiObject(run);
    const partition = app.engine.store.thread(tenant, threadId);
    return streamRun(app, { partition, run, opening: { events, logged: true } }, connection);
  },
});

export const runOperations = [createRun, createThreadAndRun, listRuns, getRun, modifyRun, cancelRun, submitToolOutputs];
