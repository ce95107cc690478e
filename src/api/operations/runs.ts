import { z } from "zod";
import { createRunRequest } from "../../resources/run.ts";
import { WAKE_UP_GRACE } from "../../runs/lifecycle.ts";
import { apiObject, type RunDoc, runSort } from "../../store/documents.ts";
import { createRun as createStoredRun, readRun } from "../../store/runs.ts";
import { readThread } from "../../store/threads.ts";
import { operation } from "../operation.ts";
import { existing, page, pageQuery } from "../paging.ts";
import { readAssistant } from "./assistants.ts";

const createRun = operation({
  name: "createRun",
  summary: "Run an assistant on a thread",
  method: "POST",
  path: "threads/{thread_id}/runs",
  query: z.object({}),
  body: createRunRequest,
  handler: async ({ app, tenant, params: { thread_id: threadId }, body, now }) => {
    const assistant = await readAssistant(app.store, tenant, body.assistant_id);
    const { lifetime } = app.config.runs;
    const draft = { tenant, threadId, assistant, request: body, now, lifetime, grace: WAKE_UP_GRACE };
    const run = await createStoredRun(app.store, draft);
    await app.wakeUps.send({ tenant, thread: threadId, run: run.id }, `${run.id}/created`);
    return apiObject(run);
  },
});

const listRuns = operation({
  name: "listRuns",
  summary: "List the runs of a thread",
  method: "GET",
  path: "threads/{thread_id}/runs",
  query: pageQuery,
  handler: async ({ app, tenant, params: { thread_id: id }, query, now }) => {
    const partition = app.store.thread(tenant, id);
    return existing(readThread(partition, id), page<RunDoc>({ partition, sort: runSort }, query, now));
  },
});

const getRun = operation({
  name: "getRun",
  summary: "Retrieve a run",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}",
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: id } }) =>
    apiObject(await readRun(app.store.thread(tenant, threadId), threadId, id)),
});

export const runOperations = [createRun, listRuns, getRun];
