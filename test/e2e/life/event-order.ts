/** The exact order of a run's events, from what its model was to do (docs/contract.md 4.1). */
import { expect } from "vitest";
import { breaksOff, makesMessage, type Outcome, type TurnPlan } from "./plans.ts";
import type { RunModel, Segment } from "./run-model.ts";
import type { ServerEvent } from "./run-reader.ts";

const STARTED = "thread.run.in_progress";
const PAUSED = "thread.run.requires_action";

/** A run's whole log, cut where the run waited for outputs: one row for each stream that told it. */
export function segmentsOf(log: ServerEvent[]): ServerEvent[][] {
  const segments: ServerEvent[][] = [[]];
  for (const event of log) {
    segments.at(-1)?.push(event);
    if (event.event === PAUSED) segments.push([]);
  }
  return segments.filter((segment) => segment.length > 0);
}

/** Throws if the events of a log do not come in the order of what the run did. */
export function expectOrder(log: ServerEvent[], model: RunModel): void {
  for (const [number, events] of segmentsOf(log).entries()) {
    const names = events.map(({ event }) => event);
    const told = model.segments[number];
    // What ends a run that waits is told after its last stream.
    if (told === undefined) expectNames(names, ENDS_PAUSED);
    else expectSegment(names, model, number, told);
  }
}

const ENDS_PAUSED = ["thread.run.cancelling", "thread.run.step.cancelled", "thread.run.cancelled"];

function expectSegment(names: string[], model: RunModel, number: number, { streamed }: Segment): void {
  const plan = model.turns[number];
  if (plan === undefined) throw new Error("a log tells of a turn that was not planned");
  const opening = [number === 0 ? "thread.run.created" : "thread.run.step.completed", "thread.run.queued"];
  const cancelledAt = names.indexOf("thread.run.cancelling");
  if (cancelledAt >= 0) {
    expectPrefix(withoutRepeats(names.slice(0, cancelledAt), opening.length), [...opening, STARTED, ...said(plan)]);
    expect(names.slice(cancelledAt)).toEqual(CANCELLED_NAMES(names.slice(cancelledAt)));
    return;
  }
  const { outcome } = number < model.turn || model.cancelledInPause ? { outcome: undefined } : model;
  const last = withoutRepeats(names, opening.length);
  if (breaksOff(plan, streamed)) expectBrokenOff(last, opening);
  else expectNames(last, [...opening, STARTED, ...said(plan), ...endOf(plan, outcome)]);
}

/** A message is at its end before its step, and the run comes last. */
const CANCELLED_NAMES = (names: string[]) => [
  "thread.run.cancelling",
  ...names.filter((name) => name === "thread.message.incomplete").slice(0, 1),
  ...names.filter((name) => name === "thread.run.step.cancelled").slice(0, 1),
  "thread.run.cancelled",
];

/** The events of the last try only, where a model call was repeated. */
function withoutRepeats(names: string[], opening: number): string[] {
  const start = names.lastIndexOf(STARTED);
  return start < 0 ? names : [...names.slice(0, opening), ...names.slice(start)];
}

function expectBrokenOff(names: string[], opening: string[]): void {
  const deltas = names.filter((name) => name === "thread.message.delta");
  const message = ["thread.message.incomplete", "thread.run.step.failed"];
  const some = [...MESSAGE_BEGINS, ...deltas];
  const body = deltas.length === 0 ? [] : [...some, ...message];
  expectNames(names, [...opening, STARTED, ...body, "thread.run.failed"]);
}

const MESSAGE_BEGINS = [
  "thread.run.step.created",
  "thread.run.step.in_progress",
  "thread.message.created",
  "thread.message.in_progress",
];

/** All that a turn says before its end is decided. */
function said(plan: TurnPlan): string[] {
  const names: string[] = [];
  if (makesMessage(plan)) {
    names.push(...MESSAGE_BEGINS, ...plan.text.filter((piece) => piece !== "").map(() => "thread.message.delta"));
    if (plan.calls.length > 0) names.push("thread.message.completed", "thread.run.step.completed");
  }
  if (plan.calls.length === 0) return names;
  names.push("thread.run.step.created", "thread.run.step.in_progress");
  for (const { pieces } of plan.calls)
    names.push("thread.run.step.delta", ...pieces.map(() => "thread.run.step.delta"));
  return names;
}

/** `outcome` is undefined for a turn after which the run waited and has gone on. */
function endOf(plan: TurnPlan, outcome: Outcome | undefined): string[] {
  const status = outcome?.status ?? "requires_action";
  if (status === "requires_action") return [PAUSED];
  const failed = status === "failed";
  const run = `thread.run.${status}`;
  // Cut off within its calls: no output will complete their step.
  if (plan.calls.length > 0) return [`thread.run.step.${status === "incomplete" ? "cancelled" : status}`, run];
  const step = `thread.run.step.${failed ? "failed" : "completed"}`;
  if (!makesMessage(plan)) return [run];
  return [`thread.message.${outcome?.incomplete === null ? "completed" : "incomplete"}`, step, run];
}

function expectNames(names: string[], expected: string[]): void {
  expect(names).toEqual(expected);
}

function expectPrefix(names: string[], whole: string[]): void {
  expect(names).toEqual(whole.slice(0, names.length));
}
