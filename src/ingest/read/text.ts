/** Plain text: what is read of it, and how its bytes become characters. */
import { TextDecoder } from "node:util";
import { FILE_NOT_PARSED, FILE_TYPE_NOT_SUPPORTED } from "../../resources/file-errors.ts";
import { type Encoding, encodingOf } from "./sniff.ts";
import { UnreadableFile } from "./unreadable.ts";

/** Longest piece in which text is passed on. UTF-16. */
export const PIECE = 65_536;

/** What no reader sees and no search finds: soft hyphens, and control characters that are neither tabs nor line ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be taken out
const UNSEEN = /[\u00AD\0-\x08\x0B\x0E-\x1F\x7F]/g;

export const cleaned = (text: string): string => text.replace(UNSEEN, "").toWellFormed();

/** Turns bytes that come in pieces into text. `encoding` undefined: it is none. Throws UnreadableFile if they are not in it. */
export class Decoder {
  readonly #decoder: TextDecoder;

  constructor(encoding: Encoding | undefined) {
    if (encoding === undefined) throw new UnreadableFile(FILE_TYPE_NOT_SUPPORTED);
    this.#decoder = new TextDecoder(encoding, { fatal: true });
  }

  push(bytes: Uint8Array): string {
    return this.#decoded(bytes, true);
  }

  end(): string {
    return this.#decoded(new Uint8Array(), false);
  }

  #decoded(bytes: Uint8Array, stream: boolean): string {
    try {
      return this.#decoder.decode(bytes, { stream });
    } catch {
      throw new UnreadableFile(FILE_NOT_PARSED, "encoding");
    }
  }
}

/** All of a text that is held already. Throws UnreadableFile. */
export function decoded(bytes: Uint8Array, head: Uint8Array): string {
  const decoder = new Decoder(encodingOf(head));
  return decoder.push(bytes) + decoder.end();
}

/** In pieces that are not too long; no character is cut. */
export function* inPieces(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const unit = text.charCodeAt(from + PIECE - 1);
    const to = from + (unit >= 0xd800 && unit < 0xdc00 ? PIECE - 1 : PIECE);
    yield text.slice(from, to);
    from = to;
  }
}
