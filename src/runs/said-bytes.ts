/** The bound of what one model call may say. */
import { jsonBytes, lengthWithin } from "./json-size.ts";

/**
 * What a model call may say: text, its citations, and names and arguments of calls together. The batch that ends or
 * pauses its run holds it up to three times (the documents, `required_action`, the deltas in the log) and must fit into
 * 2 MB. Longer than any current model's longest answer. Bytes of JSON.
 */
export const MAX_SAID_BYTES = 500_000;

/** What the JSON of a function call holds beside its name and arguments. Bytes. */
export const CALL_BYTES = 200;

export class SaidBytes {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= MAX_SAID_BYTES;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Nothing more may be said. */
  fill(): void {
    this.#bytes = MAX_SAID_BYTES;
  }

  /** As much of a piece as the bound leaves room for; never half of a surrogate pair. */
  take(piece: string): string {
    const bytes = jsonBytes(piece);
    const room = Math.max(0, MAX_SAID_BYTES - this.#bytes);
    if (bytes <= room) {
      this.#bytes += bytes;
      return piece;
    }
    this.fill();
    return piece.slice(0, lengthWithin(piece, room));
  }
}
