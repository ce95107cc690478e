/**
 * One model call becoming steps and a message: pieces go in, documents and events come out. Text makes a message with
 * its step; function calls make one step for all of them; a call that does both makes both, the message first.
 */
import type { AnswerPiece, CallPiece, FinishReason, ReportedUsage } from "../model/pieces.ts";
import { NO_USAGE, toSeconds, type Usage } from "../resources/common.ts";
import { randomId, seqOfMintedId } from "../resources/ids.ts";
import { MAX_TOOL_CALLS } from "../resources/limits.ts";
import { newReply, textContent } from "../resources/message.ts";
import { type FunctionToolCall, newStep, type StepDetails } from "../resources/step.ts";
import {
  type MessageDoc,
  messageSort,
  type ReservedIds,
  type RunDoc,
  type StepDoc,
  stepSort,
} from "../store/documents.ts";
import { CallSorter, type SortedCall } from "./calls.ts";
import { callDelta, messageEvent, type Sink, stepEvent, textDelta } from "./events.ts";
import { jsonBytes, lengthWithin } from "./json-size.ts";
import { completedMessage, completedStep } from "./lifecycle.ts";

/**
 * What a model call may say: text, and names and arguments of function calls together. The batch that ends or pauses
 * its run holds it up to three times (the documents, `required_action`, the deltas in the log) and must fit into 2 MB.
 * Longer than any current model's longest answer. Bytes of JSON.
 */
export const MAX_SAID_BYTES = 500_000;

/** What the JSON of a function call holds beside its name and arguments. Bytes. */
const CALL_BYTES = 200;

export class Turn {
  readonly #run: RunDoc;
  readonly #ids: ReservedIds;
  readonly #sink: Sink;
  readonly #now: () => number;
  #message: MessageDoc | undefined;
  #messageStep: StepDoc | undefined;
  #toolStep: StepDoc | undefined;
  #text = "";
  #calls = new CallSorter();
  #saidBytes = 0;
  #reported: ReportedUsage | undefined;
  finishReason: FinishReason | undefined;
  /** what the call used, once it is closed */
  usage: Usage = NO_USAGE;

  constructor(run: RunDoc, ids: ReservedIds, sink: Sink, now: () => number) {
    this.#run = run;
    this.#ids = ids;
    this.#sink = sink;
    this.#now = now;
  }

  /** Whether the model has said anything yet. */
  get hasBegun(): boolean {
    return this.#message !== undefined || this.#toolStep !== undefined;
  }

  /** Of all that the model has said so far. Bytes of JSON. */
  get size(): number {
    return this.#saidBytes;
  }

  /**
   * Whether the model has said as much as it may, or called more often than outputs may be submitted: then its call is
   * to be stopped, and counts as cut off.
   */
  get isFull(): boolean {
    return this.#saidBytes >= MAX_SAID_BYTES;
  }

  /** The call failed before it said anything: the next one begins anew. */
  forget(): void {
    this.finishReason = undefined;
    this.#reported = undefined;
    this.#calls = new CallSorter();
    this.#saidBytes = 0;
  }

  /** The call is stopped at the bound. */
  cutOff(): void {
    this.finishReason = "length";
  }

  /** What comes behind a reason for the end may add to the answer, and changes the reason no more. */
  apply({ text, calls, finishReason, usage }: AnswerPiece): void {
    if (usage !== undefined) this.#reported = usage;
    if (text !== "") this.#addText(text);
    if (calls.length > 0) {
      this.#calls.nextChunk();
      for (const piece of calls) this.#addCall(piece);
    }
    this.finishReason ??= finishReason;
  }

  /** Whether the server has left it open what the call used. */
  get lacksUsage(): boolean {
    return !this.#reported?.prompt_tokens || (!this.#reported.completion_tokens && this.hasBegun);
  }

  /** All that the model has said, for counting it. */
  get words(): string[] {
    return [this.#text, ...this.#calls.told.map((call) => `${call.name}${call.arguments}`)];
  }

  /**
   * The model is done: a call that said nothing at all still makes its message. `counted` is used for what the server
   * has not reported.
   */
  close(counted: Usage = NO_USAGE): void {
    this.usage = completeUsage(this.#reported, counted);
    if (!this.hasBegun) this.#openMessage();
    this.#completeArguments();
    if (this.#toolStep !== undefined) this.#completeReply();
    this.#settleContents();
    if (this.#toolStep !== undefined) this.#toolStep = this.#charged(this.#toolStep);
    else if (this.#messageStep !== undefined) this.#messageStep = this.#charged(this.#messageStep);
  }

  /** Message and step of the text, if there was any, with what has come so far. */
  get reply(): { message: MessageDoc; step: StepDoc } | undefined {
    this.#settleContents();
    if (this.#message === undefined || this.#messageStep === undefined) return undefined;
    return { message: this.#message, step: this.#messageStep };
  }

  get toolCalls(): { step: StepDoc; calls: FunctionToolCall[] } | undefined {
    this.#settleContents();
    return this.#toolStep === undefined ? undefined : { step: this.#toolStep, calls: this.#functionCalls() };
  }

  /** All documents of the turn as they are now. */
  get documents(): (MessageDoc | StepDoc)[] {
    this.#settleContents();
    return [this.#messageStep, this.#message, this.#toolStep].filter((doc) => doc !== undefined);
  }

  /** A message that was completed when calls began takes no more: no model is known to go on with it. */
  #addText(piece: string): void {
    const message = this.#message ?? this.#openMessage();
    const taken = message.status === "in_progress" ? this.#taken(piece) : "";
    if (taken === "") return;
    const first = this.#text === "";
    this.#text += taken;
    this.#sink(textDelta(message, taken, first));
  }

  /** As much of a piece as the bound leaves room for; never half of a surrogate pair. */
  #taken(piece: string): string {
    const bytes = jsonBytes(piece);
    const room = MAX_SAID_BYTES - this.#saidBytes;
    if (bytes <= room) {
      this.#saidBytes += bytes;
      return piece;
    }
    this.#saidBytes = MAX_SAID_BYTES;
    return piece.slice(0, lengthWithin(piece, room));
  }

  /** A message that begins when there are calls already is listed behind them, as it was told. */
  #openMessage(): MessageDoc {
    const { message: early, lateMessage, lateMessageStep } = this.#ids;
    const isLate = this.#toolStep !== undefined && lateMessage !== undefined && lateMessageStep !== undefined;
    const id = isLate ? lateMessage : early;
    const stepId = isLate ? lateMessageStep : this.#ids.messageStep;
    const step = this.#newStep(stepId, { type: "message_creation", message_creation: { message_id: id } });
    const message: MessageDoc = {
      ...newReply(this.#run, id, toSeconds(this.#now())),
      pk: this.#run.pk,
      kind: "message",
      internal: {
        sort: messageSort(seqOfMintedId(id)),
        tokens: 0,
        follows_tools: this.#run.internal.tool_tokens > 0,
        ...(isLate && { prompt_seq: seqOfMintedId(early) }),
      },
    };
    this.#messageStep = step;
    this.#message = message;
    this.#sink(messageEvent(message, "created"));
    this.#sink(messageEvent(message, "in_progress"));
    return message;
  }

  /** Clients hear of a call when its name is known. */
  #addCall(piece: CallPiece): void {
    if (this.isFull) return;
    const call = this.#calls.callOf(piece);
    if (call === undefined) return;
    if (this.#calls.size > MAX_TOOL_CALLS) {
      this.#saidBytes = MAX_SAID_BYTES;
      return;
    }
    // Some servers begin with an empty object before the arguments come in pieces: it is told at the end, if it is all.
    const isEmpty = call.arguments === "" && piece.arguments.trim() === "{}";
    const text = isEmpty ? "" : this.#taken(piece.arguments);
    call.isEmpty = isEmpty || (call.isEmpty && text === "");
    call.arguments += text;
    if (call.told === undefined) this.#tellCall(call);
    else this.#tellArguments(call, text);
  }

  #tellCall(call: SortedCall): void {
    if (call.name === "") return;
    if (this.#toolStep === undefined) {
      this.#completeReply();
      this.#toolStep = this.#newStep(this.#ids.toolStep, { type: "tool_calls", tool_calls: [] });
    }
    const place = this.#calls.told.length;
    call.serverId = this.#taken(call.serverId);
    call.name = this.#taken(call.name);
    this.#saidBytes += CALL_BYTES;
    const { id } = this.#calls.tell(call, place, () => randomId("call"));
    this.#sink(callDelta(this.#toolStep, place, { id, name: call.name, arguments: call.arguments }));
  }

  #tellArguments({ told }: SortedCall, text: string): void {
    if (text === "" || told === undefined || this.#toolStep === undefined) return;
    this.#sink(callDelta(this.#toolStep, told.place, { arguments: text }));
  }

  /**
   * Clients parse the arguments of a call: without any, they are an empty object. Those of a call cut off stay as they
   * are.
   */
  #completeArguments(): void {
    for (const call of this.#calls.told) {
      if (call.arguments.trim() !== "" || (this.finishReason === "length" && !call.isEmpty)) continue;
      call.arguments += "{}";
      this.#tellArguments(call, "{}");
    }
  }

  #functionCalls(): FunctionToolCall[] {
    return this.#calls.told.map(({ told, name, arguments: text }) => ({
      id: told?.id ?? "",
      type: "function",
      function: { name, arguments: text, output: null },
    }));
  }

  /** Text that came before function calls is a finished message; the usage of the call goes to the calls' step. */
  #completeReply(): void {
    if (this.#message?.status !== "in_progress" || this.#messageStep === undefined) return;
    this.#settleContents();
    this.#message = completedMessage(this.#message, this.#now());
    this.#messageStep = completedStep(this.#messageStep, this.#now());
    this.#sink(messageEvent(this.#message, "completed"));
    this.#sink(stepEvent(this.#messageStep, "completed"));
  }

  #newStep(id: string, details: StepDetails): StepDoc {
    const step: StepDoc = {
      ...newStep(this.#run, id, details, toSeconds(this.#now())),
      pk: this.#run.pk,
      kind: "step",
      internal: { sort: stepSort(this.#run.id, seqOfMintedId(id)), usage: NO_USAGE },
    };
    this.#sink(stepEvent(step, "created"));
    this.#sink(stepEvent(step, "in_progress"));
    return step;
  }

  #settleContents(): void {
    if (this.#message?.status === "in_progress") {
      const content = this.#text === "" && this.finishReason === undefined ? [] : [textContent(this.#text)];
      this.#message = { ...this.#message, content };
    }
    if (this.#toolStep !== undefined) {
      const details = { type: "tool_calls" as const, tool_calls: this.#functionCalls() };
      this.#toolStep = { ...this.#toolStep, step_details: details };
    }
  }

  #charged(step: StepDoc): StepDoc {
    const extras = step.type === "tool_calls" ? this.#calls.extras : [];
    return {
      ...step,
      internal: { ...step.internal, usage: this.usage, ...(extras.length > 0 && { extras }) },
    };
  }
}

/** What the server reports, and what was counted in place of what it does not. */
function completeUsage(reported: ReportedUsage | undefined, counted: Usage): Usage {
  const prompt = reported?.prompt_tokens || counted.prompt_tokens;
  const completion = reported?.completion_tokens || counted.completion_tokens;
  const isReported = prompt === reported?.prompt_tokens && completion === reported?.completion_tokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: (isReported ? reported.total_tokens : undefined) ?? prompt + completion,
  };
}
