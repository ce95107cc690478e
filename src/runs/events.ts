/** The events of a run, as the API streams them (docs/contract.md 4), and where they go. */
import type { Annotation, AnnotationDelta, MessageContent } from "../resources/message.ts";
import type { CodeOutput, HostedToolCall } from "../resources/step.ts";
import { apiObject, type MessageDoc, type RunDoc, type StepDoc } from "../store/documents.ts";

export interface RunEvent {
  event: string;
  data: unknown;
}

/** Takes events while a run goes on. Must not throw and must not wait: a slow reader never delays a run. */
export type Sink = (event: RunEvent) => void;

export const noSink: Sink = () => {};

export const runEvent = (run: RunDoc, status: RunDoc["status"] | "created"): RunEvent => ({
  event: `thread.run.${status}`,
  data: apiObject(run),
});

/** The events every log starts with, regardless of the run's current state. */
export function openingEvents(run: RunDoc): RunEvent[] {
  const queued: RunDoc = { ...run, status: "queued", started_at: null };
  return [runEvent(queued, "created"), runEvent(queued, "queued")];
}

/**
 * The first events of a run's log, also before they are written: its first driver, or the process that ends it
 * undriven, begins the log with the same.
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

/**
 * The end of a run, in the order of docs/contract.md 4.1: its messages, their steps, the run. `before` is its last
 * version.
 */
export function endingEvents(before: RunDoc, run: RunDoc, documents: (MessageDoc | StepDoc)[]): RunEvent[] {
  const messages = documents.filter((doc) => doc.kind === "message");
  const steps = documents.filter((doc) => doc.kind === "step");
  return [
    // Clients that watch hear of the cancel too, which may have been asked for elsewhere.
    ...(run.status === "cancelled" ? [runEvent({ ...before, status: "cancelling" }, "cancelling")] : []),
    ...messages.map((doc) => messageEvent(doc, doc.status)),
    ...steps.map((doc) => stepEvent(doc, doc.status)),
    runEvent(run, run.status),
  ];
}

/** In both of the forms that clients look for: some want `error`, some the fields themselves (docs/contract.md 4.2). */
export function errorEvent(message: string): RunEvent {
  const error = { message, type: "server_error", param: null, code: null };
  return { event: "error", data: { error, ...error } };
}

/**
 * The first delta of a text carries its annotations, empty if it is no citation; the others only text, or a whole
 * citation (docs/contract.md 4.1). `index`: how many images come before the text.
 */
export function textDelta(
  { id }: { id: string },
  value: string,
  first: boolean,
  annotation?: AnnotationDelta,
  index = 0,
): RunEvent {
  const annotations = annotation === undefined ? [] : [annotation];
  const text = first || annotation !== undefined ? { value, annotations } : { value };
  return messageDelta(id, { index, type: "text", text });
}

/** An image that code has drawn, before the text of its message. */
export const imageDelta = ({ id }: { id: string }, index: number, fileId: string): RunEvent =>
  messageDelta(id, { index, type: "image_file", image_file: { file_id: fileId } });

const messageDelta = (id: string, part: object): RunEvent => ({
  event: "thread.message.delta",
  data: { id, object: "thread.message.delta", delta: { content: [part] } },
});

/** An annotation as a delta tells it. */
export function annotationDelta(annotation: Annotation, index: number): AnnotationDelta {
  if (annotation.type === "file_path") return { index, ...annotation };
  return { index, ...annotation, file_citation: { ...annotation.file_citation, quote: "" } };
}

/** A piece of a function call: id, name and the null output once, then arguments only (docs/contract.md 4.3). */
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
  return stepDelta(step, call);
}

/** A call of a hosted tool, whole: clients hear of what came of it with its step (docs/contract.md 4.3). */
export const hostedDelta = (step: StepDoc, index: number, call: HostedToolCall): RunEvent =>
  stepDelta(step, { index, ...call });

/** A piece of the code of a call. */
export const inputDelta = (step: { id: string }, index: number, input: string): RunEvent =>
  stepDelta(step, { index, type: "code_interpreter", code_interpreter: { input } });

/** One output of a call's code. It comes once: clients put texts of the same place together. */
export const outputDelta = (step: { id: string }, index: number, place: number, output: CodeOutput): RunEvent =>
  stepDelta(step, { index, type: "code_interpreter", code_interpreter: { outputs: [{ index: place, ...output }] } });

const stepDelta = ({ id }: { id: string }, call: object): RunEvent => ({
  event: "thread.run.step.delta",
  data: {
    id,
    object: "thread.run.step.delta",
    delta: { step_details: { type: "tool_calls", tool_calls: [call] } },
  },
});

/** The text of a message so far. */
export const textOf = (content: MessageContent[]) =>
  content.map((part) => (part.type === "text" ? part.text.value : "")).join("");
