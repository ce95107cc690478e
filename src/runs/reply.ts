/** The message of one model call, with its step: text comes in, documents and events go out. */
import { seqOfMintedId } from "../resources/ids.ts";
import { sizeOf } from "../resources/limits.ts";
import { imageContent } from "../resources/message.ts";
import type { MessageDoc, ReservedIds, RunDoc, StepDoc } from "../store/documents.ts";
import type { Marker, TextPiece } from "./citations.ts";
import { draftReply, newStep } from "./drafts.ts";
import { annotationDelta, imageDelta, messageEvent, type Sink, stepEvent, textDelta } from "./events.ts";
import { completedMessage, completedStep } from "./lifecycle.ts";
import { ReplyText } from "./reply-text.ts";
import type { SaidBytes } from "./said-bytes.ts";

export interface ReplyTools {
  run: RunDoc;
  ids: ReservedIds;
  sink: Sink;
  now: () => number;
  /** whether hosted tools are among those of the run */
  isHosted: boolean;
}

export class Reply {
  readonly #tools: ReplyTools;
  readonly #said: SaidBytes;
  readonly #text: ReplyText;
  #message: MessageDoc | undefined;
  #step: StepDoc | undefined;
  /** what the message begins with */
  #images: readonly string[] = [];

  /** `markers`: what the text may cite. */
  constructor(tools: ReplyTools, said: SaidBytes, markers: readonly Marker[]) {
    this.#tools = tools;
    this.#said = said;
    this.#text = new ReplyText(markers);
  }

  get hasBegun(): boolean {
    return this.#message !== undefined;
  }

  /** What clients have not heard yet. */
  get held(): string {
    return this.#text.held;
  }

  /** All of the text, for counting. */
  get whole(): string {
    return this.#text.whole;
  }

  /** The files that the text links, each once. */
  get linked(): string[] {
    return this.#text.linked;
  }

  /** Message and step as they are now. `isFinished`: the model says no more. */
  documents(isFinished: boolean): { message: MessageDoc; step: StepDoc } | undefined {
    this.#settle(isFinished);
    if (this.#message === undefined || this.#step === undefined) return undefined;
    return { message: this.#message, step: this.#step };
  }

  /**
   * A message that was completed when calls began takes no more: no model is known to go on with it. `isLate`: there
   * are calls already.
   */
  add(piece: string, isLate: boolean): void {
    if (this.#message !== undefined && this.#message.status !== "in_progress") return;
    const taken = this.#said.take(piece);
    if (taken !== "") for (const each of this.#text.push(taken)) this.#tell(each, isLate);
  }

  /** No more text comes, for now at least: what was held back is text. */
  end(isLate: boolean): void {
    for (const piece of this.#text.end()) this.#tell(piece, isLate);
  }

  /** A message that begins when there are calls already is listed behind them, as it was told. */
  open(hasCalls: boolean): MessageDoc {
    const { run, ids, sink, now, isHosted } = this.#tools;
    const { message: early, lateMessage, lateMessageStep } = ids;
    const isLate = hasCalls && lateMessage !== undefined && lateMessageStep !== undefined;
    const id = isLate ? lateMessage : early;
    const stepId = isLate ? lateMessageStep : ids.messageStep;
    const place = isLate ? { prompt_seq: seqOfMintedId(early) } : {};
    this.#step = newStep(run, stepId, { type: "message_creation", message_creation: { message_id: id } }, now(), sink);
    const message = draftReply(run, id, now(), isHosted, place);
    this.#message = message;
    sink(messageEvent(message, "created"));
    sink(messageEvent(message, "in_progress"));
    this.#images = run.internal.images ?? [];
    for (const [index, image] of this.#images.entries()) sink(imageDelta(message, index, image));
    return message;
  }

  /** Text that came before calls is a finished message. */
  complete(isFinished: boolean): void {
    if (this.#message?.status !== "in_progress" || this.#step === undefined) return;
    const { sink, now } = this.#tools;
    this.#settle(isFinished);
    this.#message = completedMessage(this.#message, now());
    this.#step = completedStep(this.#step, now());
    sink(messageEvent(this.#message, "completed"));
    sink(stepEvent(this.#step, "completed"));
  }

  /** The step gets what the model call has used. */
  charge(charged: (step: StepDoc) => StepDoc): void {
    if (this.#step !== undefined) this.#step = charged(this.#step);
  }

  /** What a citation adds to its message is bounded with the text. */
  #tell(piece: TextPiece, isLate: boolean): void {
    const message = this.#message ?? this.open(isLate);
    const first = this.#text.isEmpty;
    const { value, annotation } = piece;
    const told = annotation && annotationDelta(annotation, this.#text.citations);
    this.#text.tell(piece);
    if (told !== undefined) this.#said.add(sizeOf(told));
    this.#tools.sink(textDelta(message, value, first, told, this.#images.length));
  }

  /** A message is never without content once it is over, and has no empty text behind images. */
  #settle(isFinished: boolean): void {
    if (this.#message?.status !== "in_progress") return;
    const images = this.#images.map(imageContent);
    const hasText = !this.#text.isEmpty || (isFinished && images.length === 0);
    this.#message = {
      ...this.#message,
      content: hasText ? [...images, this.#text.content] : images,
      attachments: this.linked.map((id) => ({ file_id: id, tools: [{ type: "code_interpreter" }] })),
    };
  }
}
