/**
 * Finds the markers in a model's text while it streams, such as `【4:0†manual.pdf】` for a place in a file. A client gets
 * each marker whole, with its annotation, in a piece of its own; all other text goes on at once.
 */
import type { Annotation } from "../resources/message.ts";

/** What a marker leads to: an annotation without its place in the text. */
export type Target =
  | Omit<Extract<Annotation, { type: "file_citation" }>, "text" | "start_index" | "end_index">
  | Omit<Extract<Annotation, { type: "file_path" }>, "text" | "start_index" | "end_index">;

/**
 * What a text begins with: no marker; what may become one with more text; or a marker of this length, in UTF-16. One
 * without a target names nothing that is known, and stays text.
 */
export type Reading = "none" | "unfinished" | { length: number; target: Target | undefined };

/** A kind of marker. */
export interface Marker {
  /** the character that all of its kind begin with */
  opening: string;
  /** Longest marker, and so the longest text that is held back. UTF-16. */
  longest: number;
  /** Reads what `text` begins with; `isAll`: no more text comes, so nothing is unfinished. */
  read(text: string, isAll: boolean): Reading;
}

/** A part of the text. One with an annotation is a whole marker. */
export interface TextPiece {
  value: string;
  annotation: Annotation | undefined;
}

/** Of one text: each is stored with it, so that a message has a bound. Further markers stay text. */
export const MOST_ANNOTATIONS = 1_000;

/** Stands between the model and one text of a message. Holds back only what may still become a marker. */
export class Citations {
  readonly #markers: readonly Marker[];
  #held = "";
  #annotations = 0;
  /** code points of what was given */
  #length = 0;
  #endsInHighSurrogate = false;

  constructor(markers: readonly Marker[]) {
    this.#markers = markers;
  }

  /** The text that came and was not given yet. */
  get held(): string {
    return this.#held;
  }

  /** What can be given now that this text has come. Places count code points of Unicode from the text's beginning. */
  push(text: string): TextPiece[] {
    this.#held += text;
    return this.#take(false);
  }

  /** The rest: no more text comes, so a marker that has begun is text. */
  end(): TextPiece[] {
    return this.#take(true);
  }

  #take(isAll: boolean): TextPiece[] {
    const pieces: TextPiece[] = [];
    const text = this.#held;
    let given = 0;
    const give = (end: number, target?: Target) => {
      if (end > given) pieces.push(this.#piece(text.slice(given, end), target));
      given = end;
    };
    const openings = new Openings(this.#markers, text);
    for (let at = openings.from(0); at < text.length; ) {
      const reading = this.#read(text, at, isAll);
      if (reading === "unfinished") {
        give(at);
        this.#held = text.slice(at);
        return pieces;
      }
      const end = at + (reading === "none" ? 1 : reading.length);
      if (reading !== "none" && reading.target !== undefined && this.#annotations < MOST_ANNOTATIONS) {
        give(at);
        give(end, reading.target);
      }
      at = openings.from(end);
    }
    give(text.length);
    this.#held = "";
    return pieces;
  }

  #read(text: string, at: number, isAll: boolean): Reading {
    const marker = this.#markers.find(({ opening }) => text.startsWith(opening, at));
    if (marker === undefined) return "none";
    const isTooLong = text.length - at > marker.longest;
    const reading = marker.read(text.slice(at, at + marker.longest), isAll && !isTooLong);
    return reading === "unfinished" && (isAll || isTooLong) ? "none" : reading;
  }

  #piece(value: string, target: Target | undefined): TextPiece {
    const start = this.#length;
    this.#count(value);
    if (target === undefined) return { value, annotation: undefined };
    this.#annotations += 1;
    return { value, annotation: { ...target, text: value, start_index: start, end_index: this.#length } };
  }

  /** Pieces may be cut within surrogate pairs. */
  #count(value: string): void {
    for (let at = 0; at < value.length; at++) {
      const unit = value.charCodeAt(at);
      if (!(this.#endsInHighSurrogate && unit >= 0xdc00 && unit < 0xe000)) this.#length += 1;
      this.#endsInHighSurrogate = unit >= 0xd800 && unit < 0xdc00;
    }
  }
}

/** Where markers may begin in a text, from left to right. A long text is not searched again for each place. */
class Openings {
  readonly #markers: readonly Marker[];
  readonly #text: string;
  readonly #next = new Map<Marker, number>();

  constructor(markers: readonly Marker[], text: string) {
    this.#markers = markers;
    this.#text = text;
  }

  /** The next place; the text's length if there is none. */
  from(start: number): number {
    let first = this.#text.length;
    for (const marker of this.#markers) {
      let place = this.#next.get(marker) ?? -1;
      if (place < start) {
        const found = this.#text.indexOf(marker.opening, start);
        place = found < 0 ? this.#text.length : found;
        this.#next.set(marker, place);
      }
      first = Math.min(first, place);
    }
    return first;
  }
}

/** All beginnings of a citation, and whole ones. */
const BEGINS = /^【(\d{0,9}(:(\d{0,9}(†[^【】\n]*)?)?)?)?$/u;
const WHOLE = /^【(\d{1,9}):(\d{1,9})†[^【】\n]*】/u;

/** UTF-16. */
export const LONGEST_CITATION = 300;

/** Citations of results: `fileOf(search, index)` is the id of the file of a result, if there is such a result. */
export function fileCitations(fileOf: (search: number, index: number) => string | undefined): Marker {
  return {
    opening: "【",
    longest: LONGEST_CITATION,
    read(text) {
      const whole = WHOLE.exec(text);
      if (whole === null) return BEGINS.test(text) ? "unfinished" : "none";
      const [marker, search, index] = whole;
      const id = fileOf(Number(search), Number(index));
      const target = id === undefined ? undefined : { type: "file_citation" as const, file_citation: { file_id: id } };
      return { length: marker.length, target };
    },
  };
}

/** Of a file's name in a marker. UTF-16. */
const LONGEST_NAME = 250;

/** How the model is to cite a result. A name that would break the marker is told without what breaks it. */
export function citationOf(search: number, index: number, filename: string): string {
  const name = filename.replace(/[【】\r\n]/g, "").slice(0, LONGEST_NAME);
  return `【${search}:${index}†${name.toWellFormed()}】`;
}
