/** The thread that cuts texts into chunks (chunks.ts): some at a time, a piece of each in turn. */
import { parentPort } from "node:worker_threads";
import { type Chunk, Chunker } from "./chunk.ts";
import type { FromThread, ToThread } from "./chunk-messages.ts";

const chunkers = new Map<number, Chunker>();

parentPort?.on("message", ({ text, sizes, piece }: ToThread) => {
  const chunker = chunkers.get(text) ?? new Chunker(sizes);
  const chunks: Chunk[] = [];
  if (piece === undefined) {
    chunkers.delete(text);
    for (let some = chunker.lastStep(); some !== undefined; some = chunker.lastStep()) chunks.push(...some);
  } else {
    chunkers.set(text, chunker);
    chunker.push(piece);
    for (let some = chunker.step(); some !== undefined; some = chunker.step()) chunks.push(...some);
  }
  const { tokens, bytes } = chunker;
  parentPort?.postMessage({ text, chunks, tokens, bytes } satisfies FromThread);
});
