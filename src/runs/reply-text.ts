/** The text of a message under way: what clients have heard of it, and what waits because it may become a citation. */
import { type Annotation, type MessageContent, textContent } from "../resources/message.ts";
import { Citations, type Marker, type TextPiece } from "./citations.ts";

export class ReplyText {
  readonly #citations: Citations | undefined;
  readonly #annotations: Annotation[] = [];
  #told = "";

  /** `markers`: what the text may cite. */
  constructor(markers: readonly Marker[]) {
    this.#citations = markers.length === 0 ? undefined : new Citations(markers);
  }

  /** What clients have not heard yet. */
  get held(): string {
    return this.#citations?.held ?? "";
  }

  /** All of it, for counting. */
  get whole(): string {
    return this.#told + this.held;
  }

  get isEmpty(): boolean {
    return this.#told === "";
  }

  /** How many citations clients have heard of. */
  get citations(): number {
    return this.#annotations.length;
  }

  /** The files that it links, each once. */
  get linked(): string[] {
    const ids = this.#annotations.flatMap((each) => (each.type === "file_path" ? [each.file_path.file_id] : []));
    return [...new Set(ids)];
  }

  /** What clients have heard, as their message holds it. */
  get content(): MessageContent {
    return textContent(this.#told, [...this.#annotations]);
  }

  /** What can be told now that the model has said this. */
  push(text: string): TextPiece[] {
    return this.#citations?.push(text) ?? [{ value: text, annotation: undefined }];
  }

  /** What is left to tell when no more comes. */
  end(): TextPiece[] {
    return this.#citations?.end() ?? [];
  }

  /** A piece has been told. */
  tell({ value, annotation }: TextPiece): void {
    this.#told += value;
    if (annotation !== undefined) this.#annotations.push(annotation);
  }
}
