/** The events of a run that does what a script says, made by the functions that make them in the app. */
import type { FunctionToolCall } from "../../../src/resources/step.ts";
import {
  callDelta,
  messageEvent,
  openingEvents,
  type RunEvent,
  runEvent,
  stepEvent,
  textDelta,
} from "../../../src/runs/events.ts";
import {
  claimed,
  completedMessage,
  completedStep,
  type Ending,
  ended,
  endedMessage,
  endedStep,
  paused,
  resumed,
} from "../../../src/runs/lifecycle.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../../../src/store/documents.ts";
import { CREATED, callsStep, messageStep, NOW, place, RESERVED, replyDoc, USAGE } from "../documents.ts";

export interface Script {
  /** What each model call says: the pieces of its text, and of the arguments of each function that it calls. */
  turns: { text: string[] | undefined; calls: string[][] }[];
  /** Without one, the run is still going on. One that is not "completed" cuts off a last message. */
  ending: Ending["status"] | undefined;
}

export function scriptedRun(created: RunDoc, { turns, ending }: Script): { events: RunEvent[]; run: RunDoc } {
  const told = new Telling(created);
  for (const [index, { text, calls }] of turns.entries()) {
    if (text !== undefined) told.reply(index, text, undefined);
    if (calls.length > 0) told.callFunctions(index, calls);
  }
  if (ending !== undefined) told.end(endingOf(ending), turns.length);
  return told;
}

function endingOf(status: Ending["status"]): Ending {
  if (status === "failed") return { status, error: { code: "server_error", message: "Sorry, something went wrong." } };
  if (status === "incomplete") return { status, reason: "max_completion_tokens" };
  return { status };
}

class Telling {
  readonly events: RunEvent[];
  run: RunDoc;

  constructor(created: RunDoc) {
    this.run = created;
    this.events = openingEvents(created);
    this.#claim();
  }

  /** A message, whole or cut off by the run's end. */
  reply(index: number, pieces: string[], cutOffBy: Ending | undefined): void {
    const step: StepDoc = { ...messageStep(), id: `step_${place(100 + index)}` };
    const message: MessageDoc = { ...replyDoc(""), id: `msg_${place(200 + index)}` };
    this.events.push(stepEvent(step, "created"), stepEvent(step, "in_progress"));
    this.events.push(messageEvent(message, "created"), messageEvent(message, "in_progress"));
    this.events.push(...pieces.map((piece, number) => textDelta(message, piece, number === 0)));
    const written: MessageDoc = { ...message, content: replyDoc(pieces.join("")).content };
    const last = cutOffBy === undefined ? completedMessage(written, NOW) : endedMessage(written, cutOffBy, NOW);
    const done = cutOffBy === undefined ? completedStep(step, NOW) : endedStep(step, cutOffBy, NOW);
    this.events.push(messageEvent(last, last.status), stepEvent(done, done.status));
  }

  /** Functions that are called, answered by the client, and the run going on. */
  callFunctions(index: number, calls: string[][]): void {
    const step: StepDoc = { ...callsStep([]), id: `step_${place(300 + index)}` };
    this.events.push(stepEvent(step, "created"), stepEvent(step, "in_progress"));
    const made = calls.map((pieces, number) => this.#call(step, number, pieces));
    const waiting: StepDoc = { ...step, step_details: { type: "tool_calls", tool_calls: made } };
    this.run = paused(this.run, waiting, made);
    this.events.push(runEvent(this.run, "requires_action"));
    const outputs = made.map((call) => ({ ...call, function: { ...call.function, output: "sunny" } }));
    const answered = completedStep({ ...waiting, step_details: { type: "tool_calls", tool_calls: outputs } }, NOW);
    this.events.push(stepEvent(answered, "completed"));
    this.run = resumed(this.run, NOW);
    this.events.push(runEvent(this.run, "queued"));
    this.#claim();
  }

  end(ending: Ending, index: number): void {
    if (ending.status !== "completed") this.reply(index, ["cut", " off"], ending);
    this.run = { ...this.run, internal: { ...this.run.internal, usage: USAGE } };
    if (ending.status === "cancelled") {
      this.run = { ...this.run, status: "cancelling" };
      this.events.push(runEvent(this.run, "cancelling"));
    }
    this.run = ended(this.run, ending, NOW);
    this.events.push(runEvent(this.run, this.run.status));
  }

  #claim(): void {
    this.run = claimed(this.run, "worker-1", RESERVED, CREATED * 1000 + 2_000, 20_000);
    this.events.push(runEvent(this.run, "in_progress"));
  }

  #call(step: StepDoc, index: number, pieces: string[]): FunctionToolCall {
    const id = `call_${step.id}_${index}`;
    const deltas = pieces.map((piece, number) =>
      callDelta(step, index, number === 0 ? { id, name: "get_weather", arguments: piece } : { arguments: piece }),
    );
    this.events.push(...deltas);
    return { id, type: "function", function: { name: "get_weather", arguments: pieces.join(""), output: null } };
  }
}
