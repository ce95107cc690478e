import { z } from "zod";
import type { App } from "../../app.ts";
import type { Assistant } from "../../resources/assistant.ts";
import { listObject } from "../../resources/common.ts";
import {
  type CreateRunRequest,
  createRunRequest,
  createThreadAndRunRequest,
  modifyRunRequest,
  runObject,
  submitToolOutputsRequest,
} from "../../resources/run.ts";
import {
  cancelRun as cancelStoredRun,
  claimedHere,
  currentRun,
  modifyRun as modifyStoredRun,
  staleLock,
  submitToolOutputs as submitStoredOutputs,
} from "../../runs/commands.ts";
import { readWindow } from "../../runs/context-window.ts";
import { wakeUpOf } from "../../runs/ending.ts";
import { openingEvents, type RunEvent } from "../../runs/events.ts";
import { WAKE_UP_GRACE } from "../../runs/lifecycle.ts";
import { apiObject, type MessageDoc, type RunDoc, runSort } from "../../store/documents.ts";
import type { Partition } from "../../store/partition.ts";
import { createRun as createStoredRun } from "../../store/runs.ts";
import { draftThread, readThread, storeThread } from "../../store/threads.ts";
import type { Connection } from "../connections.ts";
import { operation } from "../operation.ts";
import { existing, page, pageQuery } from "../paging.ts";
import { streamRun } from "../streaming.ts";
import { readAssistant } from "./assistants.ts";

interface NewRun {
  app: App;
  tenant: string;
  threadId: string;
  assistant: Assistant;
  request: CreateRunRequest;
  now: number;
  connection: Connection | undefined;
  /** what a stream tells before the run itself */
  before: RunEvent[];
}

/** A run that needs a worker is refused while too many of its tenant wait for one. Asked before anything is stored. */
function admit(app: App, tenant: string, request: { stream?: boolean | null | undefined }): void {
  if (request.stream !== true) app.backlog.admit(tenant);
}

/** Answers with the queued run, or with the stream of its events. */
async function startRun({ app, tenant, threadId, assistant, request, now, connection, before }: NewRun) {
  const partition = app.store.thread(tenant, threadId);
  const streams = request.stream === true;
  let window: Promise<MessageDoc[]> | undefined;
  const claim = (run: RunDoc) => {
    window = readAhead(app, partition, run, request);
    const claimed = claimedHere(app.engine, run);
    if (before.length === 0) return claimed;
    return { ...claimed, internal: { ...claimed.internal, begins_with_thread: true as const } };
  };
  const { queued, stored } = await createStoredRun(app.store, {
    tenant,
    threadId,
    assistant,
    request,
    now,
    lifetime: app.config.runs.lifetime,
    grace: WAKE_UP_GRACE,
    claim: streams ? claim : undefined,
    isStale: staleLock(app.engine, partition, threadId),
  });
  if (streams) {
    const events = [...before, ...openingEvents(queued)];
    return streamRun(app, tenant, stored, { events, logged: false }, connection, window);
  }
  await app.wakeUps.send(wakeUpOf(queued), `${queued.id}/created`);
  return apiObject(queued);
}

/**
 * What the model gets to read, while the run is still being stored: one round trip less before its first token. A message
 * that comes in between has a later place than the run and makes the store refuse it (docs/architecture.md).
 */
function readAhead(
  app: App,
  partition: Partition,
  run: RunDoc,
  request: CreateRunRequest,
): Promise<MessageDoc[]> | undefined {
  if (request.additional_messages?.length) return undefined;
  const window = readWindow(run, partition, app.config.model.contextTokens);
  // Nobody may ask for it any more when it fails: the store may refuse the run.
  window.catch(() => undefined);
  return window;
}

const createRun = operation({
  name: "createRun",
  summary: "Run an assistant on a thread",
  method: "POST",
  path: "threads/{thread_id}/runs",
  query: z.object({}),
  body: createRunRequest,
  response: runObject,
  streams: true,
  handler: async ({ app, tenant, params: { thread_id: threadId }, body, now, connection }) => {
    admit(app, tenant, body);
    const assistant = await readAssistant(app.store, tenant, body.assistant_id);
    return startRun({ app, tenant, threadId, assistant, request: body, now, connection, before: [] });
  },
});

const createThreadAndRun = operation({
  name: "createThreadAndRun",
  summary: "Create a thread and run an assistant on it",
  method: "POST",
  path: "threads/runs",
  body: createThreadAndRunRequest,
  response: runObject,
  streams: true,
  handler: async ({ app, tenant, body, now, connection }) => {
    admit(app, tenant, body);
    // The assistant first: a wrong id must not leave a thread behind.
    const assistant = await readAssistant(app.store, tenant, body.assistant_id);
    const { thread: threadRequest, tool_resources: _resources, ...request } = body;
    const { thread, messages } = await draftThread(tenant, threadRequest ?? {}, now);
    await storeThread(app.store, tenant, thread, messages);
    const before: RunEvent[] = [{ event: "thread.created", data: apiObject(thread) }];
    return startRun({ app, tenant, threadId: thread.id, assistant, request, now, connection, before });
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
    apiObject(await currentRun(app.engine, refOf(app, tenant, threadId, id))),
});

const modifyRun = operation({
  name: "modifyRun",
  summary: "Modify the metadata of a run that has ended",
  method: "POST",
  path: "threads/{thread_id}/runs/{run_id}",
  body: modifyRunRequest,
  response: runObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id }, body }) =>
    apiObject(await modifyStoredRun(app.engine, refOf(app, tenant, threadId, id), body.metadata)),
});

const cancelRun = operation({
  name: "cancelRun",
  summary: "Cancel a run",
  method: "POST",
  path: "threads/{thread_id}/runs/{run_id}/cancel",
  response: runObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id } }) =>
    apiObject(await cancelStoredRun(app.engine, refOf(app, tenant, threadId, id))),
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
    const { run, events } = await submitStoredOutputs(app.engine, ref, body, streams);
    if (streams) return streamRun(app, tenant, run, { events, logged: true }, connection);
    await app.wakeUps.send(wakeUpOf(run), `${run.id}/outputs/${run.internal.turns}`);
    return apiObject(run);
  },
});

export const runOperations = [createRun, createThreadAndRun, listRuns, getRun, modifyRun, cancelRun, submitToolOutputs];
