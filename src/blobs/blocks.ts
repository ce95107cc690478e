/** Cuts a stream into the blocks of a blob: two are on their way while the next one fills. */
import type { BlockBlobClient } from "@azure/storage-blob";
import { answered } from "./patience.ts";
import { asBlobTrouble } from "./trouble.ts";

/** Bytes. Azure takes 50,000 blocks a blob: 200 GB. */
export const BLOCK_SIZE = 4 * 1024 * 1024;
const IN_FLIGHT = 2;

/** Azure wants all block ids of a blob to have the same length, and base64. */
const NUMBER_LENGTH = 5;

export interface StagedBlocks {
  bytes: number;
  /** in their order, for `commit` */
  ids: string[];
}

/** `whole`: everything, where it was too small for a block of its own; then there are no ids. */
interface Taken extends StagedBlocks {
  whole?: Buffer;
}

export class Blocks {
  readonly #blob: BlockBlobClient;
  readonly #signal: AbortSignal | undefined;
  readonly #patience: number;
  readonly #sending = new Set<Promise<unknown>>();
  /** Those that are not filled and not on their way: memory is used again, not left to the collector. */
  readonly #buffers: Buffer[] = [];

  /** `patience`: until a block is taken, in milliseconds. */
  constructor(blob: BlockBlobClient, signal: AbortSignal | undefined, patience: number) {
    this.#blob = blob;
    this.#signal = signal;
    this.#patience = patience;
  }

  /** Stages the stream to its end. With `keepSmall`, one that is shorter than a block is returned instead. */
  async take(source: AsyncIterable<Uint8Array>, prefix: string, { keepSmall = false } = {}): Promise<Taken> {
    const ids: string[] = [];
    let bytes = 0;
    let [block, size] = [this.#buffer(), 0];
    const send = async () => {
      ids.push(await this.#send(blockId(prefix, ids.length), block, size));
      [block, size] = [this.#buffer(), 0];
    };
    try {
      for await (const chunk of source) {
        bytes += chunk.byteLength;
        for (let from = 0; from < chunk.byteLength; ) {
          const part = chunk.subarray(from, from + BLOCK_SIZE - size);
          block.set(part, size);
          size += part.byteLength;
          from += part.byteLength;
          if (size === BLOCK_SIZE) await send();
        }
      }
      if (keepSmall && ids.length === 0) return { bytes, ids, whole: block.subarray(0, size) };
      if (size > 0) await send();
      await Promise.all(this.#sending);
      return { bytes, ids };
    } finally {
      // Those that fail after the first failure are of no interest, but must not be unhandled.
      await Promise.allSettled(this.#sending);
    }
  }

  #buffer(): Buffer {
    return this.#buffers.pop() ?? Buffer.allocUnsafeSlow(BLOCK_SIZE);
  }

  /** Resolves when another block may be filled. */
  async #send(id: string, block: Buffer, size: number): Promise<string> {
    const stage = (abortSignal: AbortSignal) =>
      this.#blob.stageBlock(id, block.subarray(0, size), size, { abortSignal });
    const sent = answered(this.#patience, this.#signal, stage).catch(asBlobTrouble("stage a block"));
    this.#sending.add(sent);
    sent.then(
      () => {
        this.#sending.delete(sent);
        this.#buffers.push(block);
      },
      () => {},
    );
    if (this.#sending.size >= IN_FLIGHT) await Promise.race(this.#sending);
    return id;
  }
}

/** The ids of the blocks that were staged with a prefix. */
export const blockIds = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, number) => blockId(prefix, number));

const blockId = (prefix: string, number: number) =>
  Buffer.from(prefix + String(number).padStart(NUMBER_LENGTH, "0")).toString("base64");
