import { listObject } from "../../resources/common.ts";
import { noRunFound, noRunStepFound, noThreadFound } from "../../resources/errors.ts";
import { type RunStep, runStepObject } from "../../resources/step.ts";
import { readRun } from "../../runs/create.ts";
import { apiObject, type StepDoc, stepSort } from "../../store/documents.ts";
import type { Partition } from "../../store/partition.ts";
import { threadExists } from "../../store/threads.ts";
import { operation } from "../operation.ts";
import { existing, page, pageQuery } from "../paging.ts";

const listSteps = operation({
  name: "listRunSteps",
  summary: "List the steps of a run",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}/steps",
  query: pageQuery,
  response: listObject(runStepObject),
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: runId }, query, now }) => {
    const partition = app.store.thread(tenant, threadId);
    const sort = (seq: string) => stepSort(runId, seq);
    const steps = await existing(readRun(partition, threadId, runId), page<StepDoc>({ partition, sort }, query, now));
    return { ...steps, data: steps.data.map(withoutPastExpiry) };
  },
});

const getStep = operation({
  name: "getRunStep",
  summary: "Retrieve a step of a run",
  method: "GET",
  path: "threads/{thread_id}/runs/{run_id}/steps/{step_id}",
  response: runStepObject,
  handler: async ({ app, tenant, params: { thread_id: threadId, run_id: runId, step_id: id } }) => {
    const partition = app.store.thread(tenant, threadId);
    const step = await partition.read<StepDoc>(id);
    if (step?.kind === "step" && step.run_id === runId) return withoutPastExpiry(apiObject(step));
    throw await whichIsMissing(partition, threadId, runId, id);
  },
});

/** The event of a step's end still tells when it would have expired; a later read does not (docs/contract.md 3.2). */
const withoutPastExpiry = (step: RunStep): RunStep =>
  step.status === "in_progress" ? step : { ...step, expires_at: null };

async function whichIsMissing(partition: Partition, threadId: string, runId: string, stepId: string) {
  const [exists, run] = await Promise.all([threadExists(partition, threadId), partition.read(runId)]);
  if (!exists) return noThreadFound(threadId);
  return run === undefined ? noRunFound(runId) : noRunStepFound(stepId);
}

export const stepOperations = [listSteps, getStep];
