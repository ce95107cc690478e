/**
 * One model call becoming steps and a message: pieces go in, documents and events come out. Text makes a message with
 * its step; function calls make one step for all of them; a call that does both makes both, the message first.
 */
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
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
import { callDelta, messageEvent, type Sink, stepEvent, textDelta } from "./events.ts";
import { completedMessage, completedStep } from "./lifecycle.ts";

type FinishReason = ChatCompletionChunk.Choice["finish_reason"];

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
  #calls: FunctionToolCall[] = [];
  /** from the index that the server gives a call to its place in our list */
  readonly #placeOfIndex = new Map<number, number>();
  #saidBytes = 0;
  finishReason: FinishReason = null;
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

  /** Whether the model has said as much as it may, or called more often than outputs may be submitted: then its call is to be stopped, and counts as cut off. */
  get isFull(): boolean {
    return this.#saidBytes >= MAX_SAID_BYTES;
  }

  /** The call failed before it said anything: the next one begins anew. */
  forget(): void {
    this.finishReason = null;
    this.usage = NO_USAGE;
  }

  /** The call is stopped at the bound. */
  cutOff(): void {
    this.finishReason = "length";
  }

  apply(chunk: ChatCompletionChunk): void {
    if (chunk.usage) this.usage = readUsage(chunk.usage);
    const choice = chunk.choices[0];
    if (choice === undefined) return;
    // Azure's content filter sends choices that have no delta.
    const delta: Partial<typeof choice.delta> = choice.delta ?? {};
    const text = delta.content || delta.refusal;
    if (text) this.#addText(text);
    for (const piece of delta.tool_calls ?? []) this.#addCall(piece);
    if (choice.finish_reason) this.finishReason = choice.finish_reason;
  }

  /** The model is done: a call that said nothing at all still makes its message. */
  close(): void {
    if (!this.hasBegun) this.#openMessage();
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
    return this.#toolStep === undefined ? undefined : { step: this.#toolStep, calls: this.#calls };
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

  #openMessage(): MessageDoc {
    const { message: id, messageStep: stepId } = this.#ids;
    const step = this.#newStep(stepId, { type: "message_creation", message_creation: { message_id: id } });
    const message: MessageDoc = {
      ...newReply(this.#run, id, toSeconds(this.#now())),
      pk: this.#run.pk,
      kind: "message",
      internal: { sort: messageSort(seqOfMintedId(id)), tokens: 0, follows_tools: this.#run.internal.tool_tokens > 0 },
    };
    this.#messageStep = step;
    this.#message = message;
    this.#sink(messageEvent(message, "created"));
    this.#sink(messageEvent(message, "in_progress"));
    return message;
  }

  #addCall(piece: ChatCompletionChunk.Choice.Delta.ToolCall): void {
    if (this.isFull) return;
    if (this.#toolStep === undefined) {
      this.#completeReply();
      this.#toolStep = this.#newStep(this.#ids.toolStep, { type: "tool_calls", tool_calls: [] });
    }
    const text = this.#taken(piece.function?.arguments ?? "");
    const known = this.#placeOfCall(piece);
    const call = known === undefined ? undefined : this.#calls[known];
    if (known !== undefined && call !== undefined) {
      call.function.arguments += text;
      if (text !== "") this.#sink(callDelta(this.#toolStep, known, { arguments: text }));
      return;
    }
    const place = this.#calls.length;
    if (place >= MAX_TOOL_CALLS) {
      this.#saidBytes = MAX_SAID_BYTES;
      return;
    }
    const id = this.#taken(piece.id || randomId("call"));
    const name = this.#taken(piece.function?.name ?? "");
    this.#saidBytes += CALL_BYTES;
    this.#calls.push({ id, type: "function", function: { name, arguments: text, output: null } });
    if (piece.index !== undefined) this.#placeOfIndex.set(piece.index, place);
    this.#sink(callDelta(this.#toolStep, place, { id, name, arguments: text }));
  }

  /**
   * Which call a piece goes on with, or undefined for a new one. The id decides where there is one: some servers repeat
   * it, some count from 1, send index 0 for every call, or no index at all.
   */
  #placeOfCall(piece: Partial<ChatCompletionChunk.Choice.Delta.ToolCall>): number | undefined {
    if (piece.id) {
      const place = this.#calls.findIndex((call) => call.id === piece.id);
      return place < 0 ? undefined : place;
    }
    if (piece.index !== undefined) return this.#placeOfIndex.get(piece.index);
    return piece.function?.name ? undefined : this.#calls.length - 1;
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
      const content = this.#text === "" && this.finishReason === null ? [] : [textContent(this.#text)];
      this.#message = { ...this.#message, content };
    }
    if (this.#toolStep !== undefined) {
      const calls = this.#calls.map((call) => ({ ...call, function: { ...call.function } }));
      this.#toolStep = { ...this.#toolStep, step_details: { type: "tool_calls", tool_calls: calls } };
    }
  }

  #charged(step: StepDoc): StepDoc {
    return { ...step, internal: { ...step.internal, usage: this.usage } };
  }
}

/** What a server reports, some of it perhaps missing: what is no count is 0, and a missing total is the sum. */
function readUsage(given: object): Usage {
  const count = (name: string) => {
    const value: unknown = Reflect.get(given, name);
    return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
  };
  const prompt = count("prompt_tokens") ?? 0;
  const completion = count("completion_tokens") ?? 0;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: count("total_tokens") ?? prompt + completion,
  };
}

/** Of the text within a JSON string. */
const jsonBytes = (text: string) => (PLAIN.test(text) ? text.length : Buffer.byteLength(JSON.stringify(text)) - 2);

/** Text of which every character is one byte of JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** How many characters of a text take at most so many bytes of JSON. */
function lengthWithin(text: string, bytes: number): number {
  let length = 0;
  let used = 0;
  for (const character of text) {
    used += jsonBytes(character);
    if (used > bytes) break;
    length += character.length;
  }
  return length;
}
