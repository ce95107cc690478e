/** What the thread that cuts texts is asked and answers: one answer to each question. */
import type { Chunk, ChunkSizes } from "./chunk.ts";

export interface ToThread {
  /** one text's number: its pieces come one after the other, those of other texts in between */
  text: number;
  sizes: ChunkSizes;
  /** undefined: the text is over */
  piece: string | undefined;
}

export interface FromThread {
  text: number;
  chunks: Chunk[];
  /** of the text so far */
  tokens: number;
  bytes: number;
}
