/**
 * What goes between the server and a sandbox, in both directions: four bytes of length (big endian), JSON, then as many
 * bytes as the JSON's `bytes` says. What comes from a sandbox may come from the code in it, which can write to the same
 * descriptor: every length is checked before memory is taken for it.
 */
import { z } from "zod";

export interface Frame {
  /** A JSON object with `bytes`; nothing else of it is checked yet. */
  head: object;
  bytes: Buffer;
}

export interface FrameLimits {
  head: number;
  bytes: number;
}

const LENGTH = 4;

const envelope = z.looseObject({ bytes: z.int().min(0) });

export class BadFrame extends Error {}

/** Puts frames together from a stream's chunks. */
export class FrameReader {
  readonly #limits: FrameLimits;
  #chunks: Buffer[] = [];
  #size = 0;
  #head: { value: object; bytes: number } | undefined;
  #headLength: number | undefined;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** The frames that are complete with this chunk. Throws BadFrame. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (this.#headLength === undefined) {
      const length = this.#take(LENGTH)?.readUInt32BE(0);
      if (length === undefined) return undefined;
      if (length > this.#limits.head) throw new BadFrame("the head is too long");
      this.#headLength = length;
    }
    this.#head ??= this.#readHead(this.#headLength);
    if (this.#head === undefined) return undefined;
    const bytes = this.#take(this.#head.bytes);
    if (bytes === undefined) return undefined;
    const frame = { head: this.#head.value, bytes };
    this.#head = undefined;
    this.#headLength = undefined;
    return frame;
  }

  #readHead(length: number): { value: object; bytes: number } | undefined {
    const text = this.#take(length);
    if (text === undefined) return undefined;
    const { success, data } = envelope.safeParse(jsonIn(text));
    if (!success) throw new BadFrame("the head is no object with a number of bytes");
    if (data.bytes > this.#limits.bytes) throw new BadFrame("too many bytes");
    return { value: data, bytes: data.bytes };
  }

  /** Undefined until so many bytes are there. Copies only what is complete. */
  #take(length: number): Buffer | undefined {
    if (this.#size < length) return undefined;
    const whole = this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#size -= length;
    this.#chunks = this.#size === 0 ? [] : [whole.subarray(length)];
    return whole.subarray(0, length);
  }
}

function jsonIn(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    throw new BadFrame("the head is no JSON");
  }
}

/** The pieces of one frame, to be written in this order. */
export function frameOf(head: object, content: Uint8Array = new Uint8Array()): Uint8Array[] {
  const json = Buffer.from(JSON.stringify({ ...head, bytes: content.length }));
  const length = Buffer.alloc(LENGTH);
  length.writeUInt32BE(json.length);
  return content.length === 0 ? [length, json] : [length, json, content];
}
