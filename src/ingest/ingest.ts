/** From a file to its chunks in a vector store: text, chunks, embeddings, documents. */
import type { Blobs } from "../blobs/blobs.ts";
import type { Embedded } from "../model/embeddings.ts";
import { inBatches } from "../store/batches.ts";
import { type ChunkDoc, chunkId } from "../store/documents.ts";
import type { VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import type { Chunk } from "./chunk.ts";
import { ChunkedText } from "./chunks.ts";
import type { Ending, Held } from "./held.ts";
import { textOf } from "./text.ts";
import type { IngestTools } from "./tools.ts";

/** Of one file, as the original's documents say. */
const MOST_TOKENS = 5_000_000;

/** Bytes that a chunk counts for beside its text: 256 numbers of four bytes, as in the original. */
const CHUNK_USAGE = 1_024;

/** Chunks in one batch of writes, with room for the file, its store and its batches. */
const CHUNKS_A_BATCH = 60;

/**
 * Chunks it, embeds what is not in the store yet, and writes it. Answers with what the last batch of writes is to hold.
 */
export async function ingest(
  { embeddings }: IngestTools,
  blobs: Blobs,
  held: Held,
  signal: AbortSignal,
): Promise<{ ending: Ending; chunks: ChunkDoc[] }> {
  const { doc } = held;
  const { tenant, filename, done: resumed } = doc.internal;
  const { max_chunk_size_tokens: size, chunk_overlap_tokens: overlap } = doc.chunking_strategy.static;
  const text = textOf(blobs, { tenant, id: doc.id, filename }, signal);
  const chunked = new ChunkedText(text, { sizes: { size, overlap }, maxTokens: MOST_TOKENS, signal });
  let done = resumed;
  let waiting: ChunkDoc[] = [];
  for await (const embedded of embeddings.embed(chunksFrom(chunked, resumed), signal)) {
    done = await writeAll(held, waiting, done);
    waiting = embedded.map((each) => chunkDoc(doc, each));
  }
  const batches = [...inBatches(waiting.map(toPut), CHUNKS_A_BATCH)];
  const last = waiting.slice(waiting.length - (batches.at(-1)?.length ?? 0));
  done = await writeAll(held, waiting.slice(0, waiting.length - last.length), done);
  const total = done + last.length;
  const usage = chunked.bytes + CHUNK_USAGE * total;
  return { ending: { status: "completed", usage, done: total, labels: doc.attributes }, chunks: last };
}

const toPut = (put: ChunkDoc): Write => ({ put });

/** Answers with how many chunks of the file are in the store then. */
async function writeAll(held: Held, chunks: ChunkDoc[], before: number): Promise<number> {
  let done = before;
  let at = 0;
  for (const batch of inBatches(chunks.map(toPut), CHUNKS_A_BATCH)) {
    done += batch.length;
    await held.write(chunks.slice(at, at + batch.length), done);
    at += batch.length;
  }
  return done;
}

/** The chunks from number `from` on: those before are in the store already, and the same text gives the same chunks. */
async function* chunksFrom(chunks: AsyncIterable<Chunk>, from: number): AsyncGenerator<Chunk> {
  for await (const chunk of chunks) if (chunk.n >= from) yield chunk;
}

function chunkDoc(file: VectorStoreFileDoc, { item: { n, text }, vector }: Embedded<Chunk>): ChunkDoc {
  return {
    id: chunkId(file.id, n),
    pk: file.pk,
    kind: "chunk",
    file_id: file.id,
    filename: file.internal.filename,
    n,
    text,
    vector,
    attributes: file.attributes,
    internal: {},
  };
}
