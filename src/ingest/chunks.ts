/** A text as chunks, while it comes. */
import { FILE_TOO_LARGE } from "../resources/file-errors.ts";
import type { Chunk, ChunkSizes } from "./chunk.ts";
import type { ChunkWorker } from "./chunk-worker.ts";
import { UnreadableFile } from "./read/unreadable.ts";

export interface ChunkOptions {
  sizes: ChunkSizes;
  /** of the whole text: what is longer is refused */
  maxTokens: number;
  signal: AbortSignal;
}

let worker: Promise<ChunkWorker> | undefined;
let texts = 0;

/** Loaded here, so that it is a chunk of its own in the bundle, beside which the thread's file is. */
function theWorker(): Promise<ChunkWorker> {
  worker ??= import("./chunk-worker.ts").then((module) => new module.ChunkWorker());
  return worker;
}

/**
 * The chunks of a text, in their order; once, and only as fast as they are taken. Throws UnreadableFile if the text has
 * too many tokens, what the text threw, the signal's reason, or another error if the thread that cuts it dies.
 */
export class ChunkedText implements AsyncIterable<Chunk> {
  readonly #text: AsyncIterable<string>;
  readonly #options: ChunkOptions;
  #tokens = 0;
  #bytes = 0;

  constructor(text: AsyncIterable<string>, options: ChunkOptions) {
    this.#text = text;
    this.#options = options;
  }

  /** Of the text that is cut so far; of all of it after the last chunk. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Of UTF-8, as `tokens`. */
  get bytes(): number {
    return this.#bytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk> {
    const text = texts++;
    const thread = await theWorker();
    let isOver = false;
    try {
      for await (const piece of this.#text) yield* await this.#ask(thread, text, piece);
      isOver = true;
      yield* await this.#ask(thread, text, undefined);
    } finally {
      // The thread forgets a text that is given up.
      if (!isOver) thread.ask({ text, sizes: this.#options.sizes, piece: undefined }).catch(() => {});
    }
  }

  async #ask(thread: ChunkWorker, text: number, piece: string | undefined): Promise<Chunk[]> {
    const { sizes, maxTokens, signal } = this.#options;
    signal.throwIfAborted();
    const { chunks, tokens, bytes } = await thread.ask({ text, sizes, piece });
    signal.throwIfAborted();
    if (tokens > maxTokens) throw new UnreadableFile(FILE_TOO_LARGE, "tokens");
    this.#tokens = tokens;
    this.#bytes = bytes;
    return chunks;
  }
}
