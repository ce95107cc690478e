import { listObject } from "../../resources/common.ts";
import { noRunFound, noRunStepFound } from "../../resources/errors.ts";
import { type RunStep, runStepObject } from "../../resources/step.ts";
import { readRun } from "../../runs/create.ts";
import { apiObject, type StepDoc, stepSort } from "../../store/documents.ts";
import { assertThreadExists } from "../../threads/read.ts";
import { includeQuery, shownStep } from "../include.ts";
import { operation } from "../operation.ts";
import { existing, page, pageQuery } from "../paging.ts";

const listSteps = operation({
  name: "listRunSteps",
  summary: "List the steps of a run",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}/steps",
  query: pageQuery.extend(includeQuery.shape),
  response: listObject(runStepObject),
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: runId }, query, now }) => {
    const partition = app.store.thread(tenant, threadId);
    const sort = (seq: string) => stepSort(runId, seq);
    const steps = await existing(readRun(partition, threadId, runId), page<StepDoc>({ partition, sort }, query, now));
    return { ...steps, data: steps.data.map((step) => shownStep(withoutPastExpiry(step), query)) };
  },
});

const getStep = operation({
  name: "getRunStep",
  summary: "Retrieve a step of a run",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}/steps/{step_id}",
  query: includeQuery,
  response: runStepObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: runId, step_id: id }, query }) => {
    const partition = app.store.thread(tenant, threadId);
    const step = await existing(assertThreadExists(partition, threadId), partition.read<StepDoc>(id));
    if (step?.kind === "step" && step.run_id === runId) return shownStep(withoutPastExpiry(apiObject(step)), query);
    throw (await partition.read(runId)) === undefined ? noRunFound(runId) : noRunStepFound(id);
  },
});

/** The event of a step's end still tells when it would have expired; a later read does not (docs/contract.md 3.2). */
const withoutPastExpiry = (step: RunStep): RunStep =>
  step.status === "in_progress" ? step : { ...step, expires_at: null };

export const stepOperations = [listSteps, getStep];
