/**
 * Cuts a text into the chunks that are embedded and searched: so many tokens each (o200k), so many of them shared with
 * the chunk before. The original cut at exact numbers of tokens, never at ends of sentences, and so does this: its
 * numbers of chunks, and the usage that follows from them, are the same. The same text gives the same chunks, in
 * whatever pieces it comes.
 *
 * A token may be a run of 128 blanks, so tokens alone would not bound the bytes of a chunk. Where a text goes on for
 * long with more than `TOKEN_BYTES` a token, as no words of any language do, each `TOKEN_BYTES` count as a token.
 */
import { SLICE, sliceEnd } from "../model/slices.ts";
import { tokenLengths } from "../model/token-lengths.ts";

/**
 * In tokens. `overlap` is at most half of `size`. A chunk has up to `size * TOKEN_BYTES + SPARE_BYTES` bytes of UTF-8.
 */
export interface ChunkSizes {
  size: number;
  overlap: number;
}

export const DEFAULT_SIZES: ChunkSizes = { size: 800, overlap: 400 };

export interface Chunk {
  /** its place among the chunks of the text, from 0 */
  n: number;
  text: string;
  /** how many it was cut at; its text alone may have one or two more, since words are cut */
  tokens: number;
}

/** A place between two characters. */
interface Border {
  /** tokens before it */
  token: number;
  /** characters (UTF-16) before it */
  at: number;
}

/** Bytes that a token has on average, at the most: words have 3 to 10, by the language. */
const TOKEN_BYTES = 24;

/** How many bytes more there may be in a row, of lines and indentation among words. */
const SPARE_BYTES = 4_096;

/** How much text beyond a slice decides where the slice ends. Characters. */
const LOOK_AHEAD = 2;

const BEGINNING: Border = { token: 0, at: 0 };

/**
 * Takes a text in pieces of any size and gives its chunks. Chunk n begins n * (size - overlap) tokens into the text and
 * ends `size` tokens later; a border that falls into a character, or into a token that counts as several, moves back to
 * its beginning, five tokens at the most. A text that ends within a chunk ends there: no chunk holds only what the one
 * before has, too.
 */
export class Chunker {
  readonly #sizes: ChunkSizes;
  /** what is still needed of the text, from `#from` on */
  #text = "";
  #from = 0;
  /** where the part that is not tokenized yet begins in the whole text */
  #next = 0;
  /** a high surrogate whose other half is in the next piece */
  #half = "";
  /** where the chunks begin that have not ended */
  readonly #open: Border[] = [BEGINNING];
  #lastBorder = BEGINNING;
  #token = 0;
  #spare = SPARE_BYTES;
  #bytes = 0;
  #chunks = 0;

  constructor(sizes: ChunkSizes = DEFAULT_SIZES) {
    this.#sizes = sizes;
  }

  /** Of the text that is tokenized so far. */
  get tokens(): number {
    return this.#token;
  }

  /** Of UTF-8, of the text that is tokenized so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds to the text. Lone surrogates become U+FFFD, as in everything that is written in UTF-8. */
  push(piece: string): void {
    const text = this.#half + piece;
    const isCut = isHighSurrogate(text.charCodeAt(text.length - 1));
    this.#half = isCut ? text.slice(-1) : "";
    this.#text += (isCut ? text.slice(0, -1) : text).toWellFormed();
  }

  /**
   * Tokenizes one slice (some milliseconds) and gives the chunks that end in it; undefined if there is no whole one.
   */
  step(): Chunk[] | undefined {
    if (this.#from + this.#text.length - this.#next < SLICE + LOOK_AHEAD) return undefined;
    return this.#advance();
  }

  /** The text is over: as `step`, until nothing is left. Then the last call of all gives the last chunk. */
  lastStep(): Chunk[] | undefined {
    if (this.#half !== "") {
      this.#text += "\uFFFD";
      this.#half = "";
    }
    if (this.#next < this.#from + this.#text.length) return this.#advance();
    // A whole chunk is only given once another token follows: something is left, unless the text is empty.
    const [oldest] = this.#open.splice(0);
    return oldest && this.#token > 0 ? [this.#chunk(oldest, this.#lastBorder)] : undefined;
  }

  #startOf(n: number): number {
    return n * (this.#sizes.size - this.#sizes.overlap);
  }

  #advance(): Chunk[] {
    const start = this.#next - this.#from;
    const end = sliceEnd(this.#text, start);
    const slice = this.#text.slice(start, end);
    const chunks: Chunk[] = [];
    const walk = new Walk(slice);
    for (const length of tokenLengths(slice)) {
      for (let left = this.#tokensFor(length); left > 0; left -= 1) {
        this.#atToken(chunks);
        this.#token += 1;
      }
      if (walk.on(length)) this.#lastBorder = { token: this.#token, at: this.#next + walk.at };
    }
    this.#bytes += walk.bytes;
    this.#next += slice.length;
    this.#forget();
    return chunks;
  }

  /** How many tokens the next one counts as, by its bytes: one, unless too many bytes have come with few tokens. */
  #tokensFor(length: number): number {
    const left = this.#spare + TOKEN_BYTES - length;
    const more = Math.max(Math.ceil(-left / TOKEN_BYTES), 0);
    this.#spare = Math.min(left + more * TOKEN_BYTES, SPARE_BYTES);
    return 1 + more;
  }

  /** Before another token is taken: a chunk that ends or begins here does so at the last border. */
  #atToken(chunks: Chunk[]): void {
    if (this.#token > 0 && this.#token === this.#startOf(this.#chunks + this.#open.length)) {
      this.#open.push(this.#lastBorder);
    }
    const [oldest] = this.#open;
    if (oldest === undefined || this.#token !== this.#startOf(this.#chunks) + this.#sizes.size) return;
    this.#open.shift();
    chunks.push(this.#chunk(oldest, this.#lastBorder));
  }

  #chunk(start: Border, end: Border): Chunk {
    const text = this.#text.slice(start.at - this.#from, end.at - this.#from);
    return { n: this.#chunks++, text, tokens: end.token - start.token };
  }

  /** Drops the text that no chunk needs any more. */
  #forget(): void {
    const needed = Math.min(this.#open[0]?.at ?? this.#next, this.#lastBorder.at);
    this.#text = this.#text.slice(needed - this.#from);
    this.#from = needed;
  }
}

/** Follows a text from its beginning by numbers of bytes. */
class Walk {
  readonly #text: string;
  #at = 0;
  #bytes = 0;
  #target = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** characters so far */
  get at(): number {
    return this.#at;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Goes on by so many bytes; whether a character ends there. */
  on(bytes: number): boolean {
    this.#target += bytes;
    while (this.#bytes < this.#target) {
      const code = this.#text.codePointAt(this.#at) ?? 0;
      this.#at += code > 0xffff ? 2 : 1;
      this.#bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    }
    return this.#bytes === this.#target;
  }
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
