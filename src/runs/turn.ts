/**
 * One model call becoming steps and a message: pieces go in, documents and events come out. Text makes a message with
 * its step; tool calls make one step for all of them; a call that does both makes both, the message first.
 */
import type { AnswerPiece, CallPiece, FinishReason, ReportedUsage } from "../model/pieces.ts";
import { NO_USAGE, type Usage } from "../resources/common.ts";
import { randomId } from "../resources/ids.ts";
import { MAX_TOOL_CALLS } from "../resources/limits.ts";
import { type FunctionToolCall, type HostedToolCall, isFunctionCall, type StepDetails } from "../resources/step.ts";
import type { MessageDoc, ReservedIds, RunDoc, StepDoc } from "../store/documents.ts";
import type { SortedCall } from "./calls.ts";
import type { Marker } from "./citations.ts";
import { newStep } from "./drafts.ts";
import { callDelta, hostedDelta, inputDelta, outputDelta, type RunEvent, type Sink } from "./events.ts";
import { jsonBytes } from "./json-size.ts";
import { Reply } from "./reply.ts";
import { completeUsage } from "./reported-usage.ts";
import { CALL_BYTES, SaidBytes } from "./said-bytes.ts";
import { Called } from "./tools/called.ts";
import type { AskedCall, DoneCall, HostedTool } from "./tools/hosted-tool.ts";
import { noToolset, type Toolset } from "./tools/toolset.ts";

export class Turn {
  readonly #run: RunDoc;
  readonly #ids: ReservedIds;
  readonly #sink: Sink;
  readonly #now: () => number;
  readonly #toolset: Toolset;
  #toolStep: StepDoc | undefined;
  #markers: readonly Marker[] = [];
  #called: Called;
  #said = new SaidBytes();
  #reply: Reply;
  #reported: ReportedUsage | undefined;
  finishReason: FinishReason | undefined;
  /** what the call used, once it is closed */
  usage: Usage = NO_USAGE;

  constructor(run: RunDoc, ids: ReservedIds, sink: Sink, now: () => number, toolset = noToolset(run)) {
    this.#run = run;
    this.#ids = ids;
    this.#sink = sink;
    this.#now = now;
    this.#toolset = toolset;
    this.#called = new Called(run, toolset);
    this.#reply = this.#newReply();
  }

  #newReply(): Reply {
    const [run, ids, sink, now] = [this.#run, this.#ids, this.#sink, this.#now];
    return new Reply({ run, ids, sink, now, isHosted: !this.#toolset.isEmpty }, this.#said, this.#markers);
  }

  /** Whether the model has said anything yet. */
  get hasBegun(): boolean {
    return this.#reply.hasBegun || this.#toolStep !== undefined;
  }

  /** Of all that clients have heard so far. Bytes of JSON. */
  get size(): number {
    return this.#said.bytes - jsonBytes(this.#reply.held);
  }

  /**
   * Whether the model has said as much as it may, or called more often than outputs may be submitted: then its call is
   * to be stopped, and counts as cut off.
   */
  get isFull(): boolean {
    return this.#said.isFull;
  }

  /** The call failed before it said anything: the next one begins anew. */
  forget(): void {
    this.finishReason = undefined;
    this.#reported = undefined;
    this.#called = new Called(this.#run, this.#toolset);
    this.#said = new SaidBytes();
    this.#reply = this.#newReply();
  }

  /** The call is stopped at the bound. */
  cutOff(): void {
    this.finishReason = "length";
  }

  /** What the text of this call may cite. Before its first piece. */
  cite(markers: readonly Marker[]): void {
    this.#markers = markers;
    this.#reply = this.#newReply();
  }

  /** The model call is over, and its calls are stored in this step: they are to be done. */
  restore(step: StepDoc): void {
    this.#toolStep = step;
    this.#called.restore(step);
    this.finishReason = "stop";
    this.usage = step.internal.usage;
  }

  /** What comes behind a reason for the end may add to the answer, and changes the reason no more. */
  apply({ text, calls, finishReason, usage }: AnswerPiece): void {
    if (usage !== undefined) this.#reported = usage;
    if (text !== "") this.#reply.add(text, this.#toolStep !== undefined);
    if (calls.length > 0) {
      this.#called.sorter.nextChunk();
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
    return [this.#reply.whole, ...this.#called.sorter.told.map((call) => `${call.name}${call.arguments}`)];
  }

  /**
   * The model is done: a call that said nothing at all still makes its message. `counted` is used for what the server
   * has not reported.
   */
  close(counted: Usage = NO_USAGE): void {
    this.usage = completeUsage(this.#reported, counted);
    this.endText();
    if (!this.hasBegun) this.#reply.open(false);
    this.#completeArguments();
    this.#called.close();
    if (this.#toolStep !== undefined) this.#reply.complete(true);
    this.#settleCalls();
    // The usage of a call that does both goes to the calls' step.
    if (this.#toolStep !== undefined) this.#toolStep = this.#charged(this.#toolStep);
    else this.#reply.charge((step) => this.#charged(step));
  }

  /** Message and step of the text, if there was any, with what has come so far. */
  get reply(): { message: MessageDoc; step: StepDoc } | undefined {
    return this.#reply.documents(this.finishReason !== undefined);
  }

  /** The step of the calls, if there are any, and those of them that the client is to answer. */
  get toolCalls(): { step: StepDoc; calls: FunctionToolCall[] } | undefined {
    this.#settleCalls();
    if (this.#toolStep === undefined) return undefined;
    return { step: this.#toolStep, calls: this.#called.all.filter(isFunctionCall) };
  }

  /** The calls that hosted tools are to do, by tool. */
  get hostedCalls(): Map<HostedTool, AskedCall[]> {
    return this.#called.hosted;
  }

  /** A restored call that no tool of this deployment does any more, if there is one. */
  get unserved(): HostedToolCall | undefined {
    return this.#called.unserved;
  }

  /** The calls are to be stored before they are done. */
  storeCalls(): void {
    this.#called.store();
  }

  /** Whether a batch that is written or under way has stored the calls, with all that was said beside them. */
  get isStored(): boolean {
    return this.#called.isStored;
  }

  /** Hosted tools have done their calls. */
  finish(done: DoneCall[]): void {
    this.#called.finish(done);
  }

  /** What clients are to hear of what code has put out. */
  get outputs(): RunEvent[] {
    const step = this.#toolStep;
    if (step === undefined) return [];
    return this.#called.outputs.map(({ place, index, output }) => outputDelta(step, place, index, output));
  }

  /** The files that the text links. */
  get linked(): string[] {
    return this.#reply.linked;
  }

  /** All documents of the turn as they are now. */
  get documents(): (MessageDoc | StepDoc)[] {
    const { message, step } = this.reply ?? {};
    this.#settleCalls();
    return [step, message, this.#toolStep].filter((doc) => doc !== undefined);
  }

  /** No more text comes, for now at least: what was held back is text. */
  endText(): void {
    this.#reply.end(this.#toolStep !== undefined);
  }

  /** Clients hear of a call when its name is known. */
  #addCall(piece: CallPiece): void {
    if (this.isFull) return;
    const { sorter } = this.#called;
    const call = sorter.callOf(piece);
    if (call === undefined) return;
    if (sorter.size > MAX_TOOL_CALLS) {
      this.#said.fill();
      return;
    }
    // Some servers begin with an empty object before the arguments come in pieces: it is told at the end, if it is all.
    const isEmpty = call.arguments === "" && piece.arguments.trim() === "{}";
    const text = isEmpty ? "" : this.#said.take(piece.arguments);
    call.isEmpty = isEmpty || (call.isEmpty && text === "");
    call.arguments += text;
    if (call.told === undefined) this.#tellCall(call);
    else this.#tellArguments(call, text);
  }

  #tellCall(call: SortedCall): void {
    if (call.name === "") return;
    if (this.#toolStep === undefined) {
      this.endText();
      this.#reply.complete(this.finishReason !== undefined);
      const none: StepDetails = { type: "tool_calls", tool_calls: [] };
      this.#toolStep = newStep(this.#run, this.#ids.toolStep, none, this.#now(), this.#sink);
    }
    const place = this.#called.sorter.told.length;
    call.serverId = this.#said.take(call.serverId);
    call.name = this.#said.take(call.name);
    this.#said.add(CALL_BYTES);
    const { id } = this.#called.sorter.tell(call, place, () => randomId("call"));
    const hosted = this.#called.opened(call);
    if (hosted === undefined) {
      this.#sink(callDelta(this.#toolStep, place, { id, name: call.name, arguments: call.arguments }));
      return;
    }
    this.#sink(hostedDelta(this.#toolStep, place, hosted));
    this.#tellArguments(call, call.arguments);
  }

  /** What the model writes for a hosted tool is not shown, unless it is code. */
  #tellArguments(call: SortedCall, text: string): void {
    const { told } = call;
    if (text === "" || told === undefined || this.#toolStep === undefined) return;
    if (!this.#called.isHosted(call)) {
      this.#sink(callDelta(this.#toolStep, told.place, { arguments: text }));
      return;
    }
    const code = this.#called.newCode(call, text);
    if (code !== "") this.#sink(inputDelta(this.#toolStep, told.place, code));
  }

  /**
   * Clients parse the arguments of a call: without any, they are an empty object. Those of a call cut off stay as they
   * are.
   */
  #completeArguments(): void {
    for (const call of this.#called.sorter.told) {
      if (call.arguments.trim() !== "" || (this.finishReason === "length" && !call.isEmpty)) continue;
      call.arguments += "{}";
      this.#tellArguments(call, "{}");
    }
  }

  #settleCalls(): void {
    if (this.#toolStep === undefined) return;
    const details = { type: "tool_calls" as const, tool_calls: this.#called.all };
    const hosted = this.#called.records;
    const internal = { ...this.#toolStep.internal, ...(hosted.length > 0 && { hosted }) };
    this.#toolStep = { ...this.#toolStep, step_details: details, internal };
  }

  #charged(step: StepDoc): StepDoc {
    const extras = step.type === "tool_calls" ? this.#called.sorter.extras : [];
    return {
      ...step,
      internal: { ...step.internal, usage: this.usage, ...(extras.length > 0 && { extras }) },
    };
  }
}
