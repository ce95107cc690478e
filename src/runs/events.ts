/** The events of a run, as the API streams them (contract section 4), and where they go. */
import type { MessageContent } from "../resources/message.ts";
import { apiObject, type MessageDoc, type RunDoc, type StepDoc } from "../store/documents.ts";

export interface RunEvent {
  event: string;
  data: unknown;
}

/** Takes events while a run goes on. Must not throw and must not wait: a slow reader never holds a run up. */
export type Sink = (event: RunEvent) => void;

export const noSink: Sink = () => {};

export const runEvent = (run: RunDoc, status: RunDoc["status"] | "created"): RunEvent => ({
  event: `thread.run.${status}`,
  data: apiObject(run),
});

/** What everybody who watches a run from its beginning hears first, whatever has become of it meanwhile. */
export function openingEvents(run: RunDoc): RunEvent[] {
  const queued: RunDoc = { ...run, status: "queued", started_at: null };
  return [runEvent(queued, "created"), runEvent(queued, "queued")];
}

/**
 * What the log of this run begins with, though nobody may have written it yet: whoever drives the run first, or ends it
 * instead, begins with the same.
 */
export function beginningOf(run: RunDoc): RunEvent[] {
  const opening = openingEvents(run);
  return run.started_at === null ? opening : [...opening, runEvent({ ...run, status: "in_progress" }, "in_progress")];
}

export const stepEvent = (step: StepDoc, status: StepDoc["status"] | "created"): RunEvent => ({
  event: `thread.run.step.${status}`,
  data: apiObject(step),
});

export const messageEvent = (message: MessageDoc, status: MessageDoc["status"] | "created"): RunEvent => ({
  event: `thread.message.${status}`,
  data: apiObject(message),
});

/** The first delta of a text carries its empty annotations, the others only text (contract 4.1). */
export function textDelta(message: MessageDoc, value: string, first: boolean): RunEvent {
  const text = first ? { value, annotations: [] } : { value };
  return {
    event: "thread.message.delta",
    data: {
      id: message.id,
      object: "thread.message.delta",
      delta: { content: [{ index: 0, type: "text", text }] },
    },
  };
}

/** A piece of a function call: id, name and the null output once, then arguments only (contract 4.3). */
export function callDelta(
  step: StepDoc,
  index: number,
  piece: { id?: string; name?: string; arguments: string },
): RunEvent {
  const opening = piece.id !== undefined;
  const call = {
    index,
    ...(opening ? { id: piece.id } : {}),
    type: "function",
    function: opening
      ? { name: piece.name ?? "", arguments: piece.arguments, output: null }
      : { arguments: piece.arguments },
  };
  return {
    event: "thread.run.step.delta",
    data: {
      id: step.id,
      object: "thread.run.step.delta",
      delta: { step_details: { type: "tool_calls", tool_calls: [call] } },
    },
  };
}

/** The text of a message so far. */
export const textOf = (content: MessageContent[]) =>
  content.map((part) => (part.type === "text" ? part.text.value : "")).join("");
