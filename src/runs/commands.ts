/** What clients may ask of a run that exists: to take tool outputs, to be cancelled, to get other metadata. */

import { countTokens } from "../model/tokens.ts";
import type { Metadata } from "../resources/common.ts";
import {
  cannotCancelRun,
  cannotUpdateRun,
  expectedToolOutputs,
  overloaded,
  runTakesNoOutputs,
  tooLarge,
  updating,
} from "../resources/errors.ts";
import { sizeOf } from "../resources/limits.ts";
import { isTerminal, type SubmitToolOutputsRequest } from "../resources/run.ts";
import { isFunctionCall, type ToolCall } from "../resources/step.ts";
import { isNewer, type RunDoc, type StepDoc } from "../store/documents.ts";
import type { Partition, Versioned } from "../store/partition.ts";
import type { Write } from "../store/writes.ts";
import type { StaleLock } from "../threads/lock.ts";
import { claimedHere } from "./claim.ts";
import { readRun } from "./create.ts";
import { endUndriven } from "./end-undriven.ts";
import type { Engine } from "./engine.ts";
import { logged } from "./event-log.ts";
import { type RunEvent, runEvent, stepEvent } from "./events.ts";
import {
  acceptsToolOutputs,
  cancelling,
  completedStep,
  isExpired,
  isUnowned,
  mayBeCancelled,
  resumed,
} from "./lifecycle.ts";
import { withToolTokens } from "./settle.ts";
import { lookAt, wakeUpOf } from "./wake.ts";

/** How often a change is tried again while other processes change the same run. */
const ATTEMPTS = 5;

export interface RunRef {
  partition: Partition;
  threadId: string;
  runId: string;
}

/** The run as a client must see it now: one whose time is over is ended as expired before it is shown. */
export async function currentRun(engine: Engine, { partition, threadId, runId }: RunRef): Promise<Versioned<RunDoc>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const run = await readRun(partition, threadId, runId);
    const now = engine.now();
    if (!isExpired(run, now) || !isUnowned(run, now)) return run;
    const ended = await endUndriven(engine, partition, run, { status: "expired" });
    if (ended !== undefined) return ended;
  }
  throw overloaded(1);
}

/** The run as a client must see it now, or undefined if it is still as `seen`: a look that costs little then. */
export async function changedRun(
  engine: Engine,
  ref: RunRef,
  seen: Versioned<RunDoc>,
): Promise<Versioned<RunDoc> | undefined> {
  const isDue = isExpired(seen, engine.now());
  const found = isDue ? undefined : await ref.partition.readIfChanged<RunDoc>(seen.id, seen._etag);
  if (found === "unchanged") return undefined;
  const run = found ?? (await currentRun(engine, ref));
  return run._etag === seen._etag ? undefined : run;
}

/** For requests that find a thread locked: ends the run that holds it if its time is over. */
export function staleLock(engine: Engine, partition: Partition, threadId: string): StaleLock {
  return async (runId) => isTerminal((await currentRun(engine, { partition, threadId, runId })).status);
}

export interface Resumed {
  run: Versioned<RunDoc>;
  /** what a stream says of it; the event log has it already */
  events: RunEvent[];
}

/** Takes all outputs of a paused run at once; with `driveHere` this process goes on with it. */
export async function submitToolOutputs(
  engine: Engine,
  ref: RunRef,
  request: SubmitToolOutputsRequest,
  driveHere: boolean,
): Promise<Resumed> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const run = await currentRun(engine, ref);
    if (!acceptsToolOutputs(run.status)) throw runTakesNoOutputs(run.status);
    if (isNewer(run)) throw updating(1);
    const open = await ref.partition.read<StepDoc>(run.internal.open[0] ?? "");
    if (open?.step_details.type !== "tool_calls") throw new Error(`run ${run.id} waits without an open step`);
    const now = engine.now();
    const calls = withOutputs(open.step_details.tool_calls, request.tool_outputs);
    const step = completedStep({ ...open, step_details: { type: "tool_calls", tool_calls: calls } }, now);
    assertOutputsFit(step);
    const queued = withToolTokens(resumed(run, now), await outputTokens(calls));
    const events = [stepEvent(step, "completed"), runEvent(queued, "queued")];
    const { run: next, chunks } = logged(
      driveHere ? claimedHere(engine, queued) : queued,
      events,
      engine.config.runs.eventsTtl,
    );
    const result = await ref.partition.batch([
      { put: next, ifMatch: run._etag },
      { put: step },
      ...chunks.map((chunk): Write => ({ put: chunk })),
    ]);
    if (!result.ok) continue;
    if (!driveHere) await engine.wakeUps.send(wakeUpOf(next), `${next.id}/outputs/${next.internal.turns}`);
    return { run: { ...next, _etag: result.etags[0] ?? "" }, events };
  }
  throw overloaded(1);
}

/**
 * What the step of tool calls may take: beside it, the batch that takes the outputs holds only the run and references
 * to the step. Bytes of JSON.
 */
const MAX_CALLS_BYTES = 1_700_000;

/**
 * Throws the contract's 400. The limits of the outputs leave room for all but control characters, which take six bytes.
 */
function assertOutputsFit(step: StepDoc): void {
  const bytes = sizeOf(step);
  if (bytes > MAX_CALLS_BYTES) throw tooLarge("tool_outputs", bytes, MAX_CALLS_BYTES);
}

/** What hosted tools said was counted when they said it. */
async function outputTokens(calls: ToolCall[]): Promise<number> {
  const counts = await Promise.all(calls.filter(isFunctionCall).map((call) => countTokens(call.function.output ?? "")));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Every function call has its output and nothing else has; throws the contract's 400. */
function withOutputs(all: ToolCall[], outputs: SubmitToolOutputsRequest["tool_outputs"]): ToolCall[] {
  const byId = new Map(outputs.map(({ tool_call_id: id, output }) => [id, output]));
  const calls = all.filter(isFunctionCall);
  const complete = byId.size === calls.length && outputs.length === calls.length;
  if (!complete || !calls.every((call) => byId.has(call.id))) {
    throw expectedToolOutputs(
      calls.map((call) => call.id),
      outputs.map((output) => output.tool_call_id),
    );
  }
  return all.map((call) =>
    isFunctionCall(call) ? { ...call, function: { ...call.function, output: byId.get(call.id) ?? "" } } : call,
  );
}

/**
 * Ends a run without a driver at once; the driver of any other one sees the request within a second. The answer shows
 * `cancelling` either way, as the original's did.
 */
export async function cancelRun(engine: Engine, ref: RunRef): Promise<RunDoc> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const run = await currentRun(engine, ref);
    if (!mayBeCancelled(run.status)) throw cannotCancelRun(run.status);
    const now = engine.now();
    const next = cancelling(run, now);
    if (isUnowned(run, now)) {
      const stopped = { ...next, _etag: run._etag };
      if ((await endUndriven(engine, ref.partition, stopped, { status: "cancelled" })) !== undefined) return next;
      continue;
    }
    const result = await ref.partition.batch([{ put: next, ifMatch: run._etag }]);
    if (!result.ok) continue;
    await engine.wakeUps.send(lookAt(run), `${run.id}/cancel`, next.internal.due);
    return next;
  }
  throw overloaded(1);
}

/** Only runs that have ended may be changed. */
export async function modifyRun(engine: Engine, ref: RunRef, metadata: Metadata | undefined): Promise<RunDoc> {
  const run = await currentRun(engine, ref);
  if (!isTerminal(run.status)) throw cannotUpdateRun(run.status);
  const set = metadata === undefined ? {} : { "/metadata": metadata };
  const result = await ref.partition.patchIf<RunDoc>(run.id, "c.kind = 'run'", set);
  if ("refused" in result) return readRun(ref.partition, ref.threadId, ref.runId);
  return result.doc;
}
