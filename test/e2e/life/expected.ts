/** What GETs must show of a run, its steps and messages, given what has happened to it (docs/contract.md 2.2 and 3). */
import { expect } from "vitest";
import { addUsage, NO_USAGE, type Usage } from "../../../src/resources/common.ts";
import type { Message } from "../../../src/resources/message.ts";
import { isTerminal, type Run } from "../../../src/resources/run.ts";
import { type FunctionToolCall, isFunctionCall, type RunStep } from "../../../src/resources/step.ts";
import { hasText, makesMessage, type Outcome, type TurnPlan } from "./plans.ts";
import type { RunModel } from "./run-model.ts";

/** The lifetime of a run in seconds. */
const LIFETIME = 600;

const aTimeSince = (start: number) =>
  expect.toSatisfy((value: unknown) => Number.isInteger(value) && Number(value) >= start, `a time since ${start}`);

const aUsage = expect.toSatisfy((value: unknown) => {
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total, ...rest } = value as Usage;
  return prompt >= 0 && completion >= 0 && total === prompt + completion && Object.keys(rest).length === 0;
}, "a usage whose total is its sum");

/** A usage in which the app has counted what the model did not tell: a prompt has tokens, an answer may have none. */
const counted = (known: Usage) =>
  expect.toSatisfy((value: unknown) => {
    const usage = value as Usage;
    return usage.prompt_tokens > known.prompt_tokens && usage.completion_tokens >= known.completion_tokens;
  }, "a usage that was counted");

/** Every field of a run, as its status wants it (docs/contract.md 3.1); with its usage and error if those are known. */
export function expectRun(run: Run, model: RunModel): void {
  const { created } = model;
  const over = isTerminal(run.status);
  const ended = run.status === "completed" || run.status === "incomplete";
  const fresh = run.status === "queued" && model.turn === 0;
  const mayHaveNeverStarted = run.status === "cancelled" || run.status === "cancelling";
  const since = aTimeSince(created.created_at);
  expect(run).toEqual({
    ...created,
    status: run.status,
    metadata: model.metadata,
    started_at: fresh || (mayHaveNeverStarted && run.started_at === null) ? null : since,
    expires_at: over ? null : created.created_at + LIFETIME,
    completed_at: ended ? since : null,
    failed_at: run.status === "failed" ? since : null,
    cancelled_at: run.status === "cancelled" ? since : null,
    required_action: run.status === "requires_action" ? expectedAction(run, model.plan) : null,
    last_error: run.status === "failed" ? (model.outcome?.error ?? "an error") : null,
    incomplete_details: run.status === "incomplete" ? { reason: "max_completion_tokens" } : null,
    usage: over ? aUsage : null,
  });
  if (over && run.status !== "cancelled") expect(run.usage).toEqual(plannedUsage(model));
}

/** As it is answered and stored first. */
export function expectNewRun(run: Run): void {
  expect(run).toMatchObject({
    object: "thread.run",
    status: "queued",
    started_at: null,
    expires_at: run.created_at + LIFETIME,
    cancelled_at: null,
    failed_at: null,
    completed_at: null,
    required_action: null,
    last_error: null,
    incomplete_details: null,
    usage: null,
    metadata: {},
  });
}

/** A call has an id, its name and its arguments here, and no output. */
function expectedAction(run: Run, plan: TurnPlan): unknown {
  const ids = run.required_action?.submit_tool_outputs.tool_calls.map((call) => call.id) ?? [];
  expect(new Set(ids).size).toBe(plan.calls.length);
  const calls = plan.calls.map(({ name, pieces }) => ({
    id: expect.stringMatching(/^call_/),
    type: "function",
    function: { name, arguments: pieces.join("") },
  }));
  return { type: "submit_tool_outputs", submit_tool_outputs: { tool_calls: calls } };
}

function plannedUsage({ turns, turn, outcome }: RunModel): unknown {
  const before = turns.slice(0, turn).map((each) => each.usage ?? undefined);
  const all = [...before, outcome === undefined ? NO_USAGE : outcome.usage];
  const known = all.map((usage) => usage ?? NO_USAGE).reduce(addUsage, NO_USAGE);
  return all.includes(undefined) ? counted(known) : known;
}

// ---------------------------------------------------------------- steps and messages of a run at rest

export interface Left {
  run: Run;
  /** oldest first */
  steps: RunStep[];
  /** those of the run, oldest first */
  messages: Message[];
}

/** The steps and messages of a run that waits or has ended; throws where they are not what was planned. */
export function expectWork({ run, steps, messages }: Left, model: RunModel): void {
  const unseen = { steps: [...steps], messages: [...messages] };
  for (const [number, plan] of model.turns.slice(0, model.turn).entries()) {
    takeTurn(unseen, run, plan, settled(plan), model.outputs[number]);
  }
  if (model.isCancelled && !model.cancelledInPause) takeCancelledTurn(unseen, run, model.plan);
  else {
    const outcome = model.cancelledInPause ? settled(model.plan) : model.outcome;
    if (outcome !== undefined) takeTurn(unseen, run, model.plan, outcome, undefined);
  }
  expect(unseen, "there are more steps or messages than the model made").toEqual({ steps: [], messages: [] });
  expectSums(run, steps);
}

const settled = (plan: TurnPlan): Outcome => {
  return { status: "requires_action", error: null, incomplete: null, usage: plan.usage ?? undefined };
};

interface Unseen {
  steps: RunStep[];
  messages: Message[];
}

/** Takes away the steps and the message of a turn that came to its end. */
function takeTurn(
  unseen: Unseen,
  run: Run,
  plan: TurnPlan,
  outcome: Outcome,
  outputs: Map<string, string> | undefined,
): void {
  const callsTools = plan.calls.length > 0;
  if (makesMessage(plan)) {
    const completes = callsTools || outcome.status !== "failed";
    const usage = callsTools ? NO_USAGE : (outcome.usage ?? counted(NO_USAGE));
    const step = takeStep(unseen, run, completes ? "completed" : "failed", usage);
    takeMessage(unseen, run, step, plan, outcome);
  }
  if (callsTools && outcome.status !== undefined) {
    const status = stepOfCalls(run, outcome, outputs);
    const usage = status === "in_progress" ? null : (outcome.usage ?? counted(NO_USAGE));
    const step = takeStep(unseen, run, status, usage);
    expectCalls(step, plan, outputs);
  }
}

function stepOfCalls(run: Run, outcome: Outcome, outputs: Map<string, string> | undefined): RunStep["status"] {
  if (outputs !== undefined) return "completed";
  if (outcome.status === "incomplete") return "cancelled";
  if (outcome.status === "failed") return "failed";
  return run.status === "requires_action" ? "in_progress" : "cancelled";
}

function takeStep(unseen: Unseen, run: Run, status: RunStep["status"], usage: unknown): RunStep {
  const step = unseen.steps.shift();
  if (step === undefined) throw new Error(`run ${run.id} has fewer steps than its model made`);
  expect(step).toMatchObject({ status, usage });
  expectStep(step, run);
  return step;
}

/** Every field that follows from the status alone. */
function expectStep(step: RunStep, run: Run): void {
  const since = aTimeSince(run.created_at);
  expect(step).toEqual({
    id: expect.stringMatching(/^step_/),
    object: "thread.run.step",
    created_at: since,
    run_id: run.id,
    assistant_id: run.assistant_id,
    thread_id: run.thread_id,
    type: step.step_details.type,
    status: step.status,
    cancelled_at: step.status === "cancelled" ? since : null,
    completed_at: step.status === "completed" ? since : null,
    expires_at: step.status === "in_progress" ? run.created_at + LIFETIME : null,
    expired_at: null,
    failed_at: step.status === "failed" ? since : null,
    last_error: step.status === "failed" ? run.last_error : null,
    step_details: step.step_details,
    usage: step.status === "in_progress" ? null : aUsage,
    metadata: {},
  });
}

function takeMessage(unseen: Unseen, run: Run, step: RunStep, plan: TurnPlan, outcome: Outcome): void {
  const message = unseen.messages.shift();
  if (message === undefined) throw new Error(`run ${run.id} has fewer messages than its model made`);
  expect(step.step_details).toEqual({ type: "message_creation", message_creation: { message_id: message.id } });
  const { incomplete } = outcome;
  expectReply(message, run, incomplete === null ? "completed" : "incomplete", incomplete);
  // How much of a connection that breaks still comes through is not in our hands.
  const whole = incomplete !== "run_failed";
  const text = textOf(message);
  if (whole) expect(text).toBe(plan.text.join(""));
  else expect(plan.text.join("").startsWith(text)).toBe(true);
}

function expectReply(message: Message, run: Run, status: Message["status"], reason: string | null): void {
  const since = aTimeSince(run.created_at);
  expect(message).toEqual({
    id: expect.stringMatching(/^msg_/),
    object: "thread.message",
    created_at: since,
    assistant_id: run.assistant_id,
    thread_id: run.thread_id,
    run_id: run.id,
    status,
    incomplete_details: reason === null ? null : { reason },
    completed_at: status === "completed" ? since : null,
    incomplete_at: status === "incomplete" ? since : null,
    role: "assistant",
    content:
      message.content.length === 0 && reason !== null
        ? []
        : [{ type: "text", text: { value: textOf(message), annotations: [] } }],
    attachments: [],
    metadata: message.metadata,
  });
}

export const textOf = (message: Message) =>
  message.content.map((part) => (part.type === "text" ? part.text.value : "")).join("");

function expectCalls(step: RunStep, plan: TurnPlan, outputs: Map<string, string> | undefined): void {
  const ids = callsOf(step).map((call) => call.id);
  const calls = plan.calls.map(({ name, pieces }, index) => ({
    id: ids[index],
    type: "function",
    function: { name, arguments: pieces.join(""), output: outputs?.get(ids[index] ?? "") ?? null },
  }));
  expect(step.step_details).toEqual({ type: "tool_calls", tool_calls: calls });
}

const callsOf = (step: RunStep): FunctionToolCall[] =>
  step.step_details.type === "tool_calls" ? step.step_details.tool_calls.filter(isFunctionCall) : [];

/** How far the model got is open; but what there is must have been planned, and nothing is left in progress. */
function takeCancelledTurn(unseen: Unseen, run: Run, plan: TurnPlan): void {
  for (const step of unseen.steps.splice(0)) {
    expectStep(step, run);
    if (step.step_details.type === "tool_calls") {
      expect(step.status).toBe("cancelled");
      expect(callsOf(step).every((call) => call.function.output === null)).toBe(true);
      expect(plan.calls.map((call) => call.name).slice(0, callsOf(step).length)).toEqual(
        callsOf(step).map((call) => call.function.name),
      );
      continue;
    }
    // Only a message before function calls was complete when the cancel came.
    const completes = plan.calls.length > 0 && hasText(plan) && step.status === "completed";
    expect(step.status).toBe(completes ? "completed" : "cancelled");
    const message = unseen.messages.shift();
    if (message === undefined) throw new Error(`step ${step.id} has no message`);
    expect(step.step_details.message_creation.message_id).toBe(message.id);
    if (completes) expectReply(message, run, "completed", null);
    else expectReply(message, run, "incomplete", "run_cancelled");
    expect(plan.text.join("").startsWith(textOf(message))).toBe(true);
  }
}

/** The usage of a run is that of its steps together (docs/contract.md 6.5). */
function expectSums(run: Run, steps: RunStep[]): void {
  if (!isTerminal(run.status)) return;
  const sum = steps.map((step) => step.usage ?? NO_USAGE).reduce(addUsage, NO_USAGE);
  expect(run.usage, "the run's usage is the sum of its steps'").toEqual(sum);
}
