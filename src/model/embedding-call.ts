/** Calls of the embedding model that the settings name. Loaded for the first text. */
import type { Config } from "../config.ts";
import { inEmbeddingSpan } from "./call-span.ts";
import { contentTypeOf } from "./error-body.ts";
import { clientFor } from "./sdk-client.ts";
import { ModelTimeout, NoEmbeddings, WrongDimensions } from "./types.ts";
import { NotVectors, normalised, readVectors } from "./vectors.ts";

/** For a whole answer. Milliseconds. */
const TIMEOUT = 60_000;

/** Of an answer; one of 64 texts with 4,096 dimensions has some 8 MB. Bytes. */
const LARGEST_ANSWER = 64 * 1024 * 1024;

/** The only models that make shorter embeddings when they are asked to, wherever they are served. */
const TAKES_DIMENSIONS = /text-embedding-3/i;

/** A vector of length 1 for each text; rejects with the SDK's errors and those of types.ts. */
export type EmbeddingCall = (texts: readonly string[], signal: AbortSignal) => Promise<number[][]>;

/** `timeout`: in milliseconds, for a whole answer. */
export async function connectEmbeddings(config: Config, model: string, timeout = TIMEOUT): Promise<EmbeddingCall> {
  const { dimensions } = config.embeddings;
  const { embeddings } = await clientFor({ ...config.embeddings, timeout }, config);
  // Every server knows "float"; what comes is read in either form.
  const common = { model, encoding_format: "float" as const, ...(TAKES_DIMENSIONS.test(model) && { dimensions }) };
  const call: EmbeddingCall = async (texts, signal) => {
    const late = AbortSignal.timeout(timeout);
    const stop = AbortSignal.any([signal, late]);
    const input = texts.map((text) => text.toWellFormed());
    try {
      const response = await embeddings.create({ ...common, input }, { signal: stop }).asResponse();
      return vectorsOf(response, await textOf(response), texts.length, dimensions);
    } catch (error) {
      signal.throwIfAborted();
      if (late.aborted) throw new ModelTimeout(timeout);
      throw error;
    }
  };
  return (texts, signal) => inEmbeddingSpan(config.embeddings.endpoint, model, () => call(texts, signal));
}

function vectorsOf(response: Response, text: string, count: number, dimensions: number): number[][] {
  const type = contentTypeOf(response.headers);
  try {
    const vectors = readVectors(jsonOf(text, type), count);
    const given = vectors[0]?.length ?? 0;
    if (given !== dimensions) throw new WrongDimensions(given, dimensions);
    return vectors.map(normalised);
  } catch (error) {
    if (error instanceof NotVectors) throw new NoEmbeddings(error.message, response.status, type);
    throw error;
  }
}

function jsonOf(text: string, type: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotVectors(`${type} that is no JSON`);
  }
}

async function textOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection.
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > LARGEST_ANSWER) {
      const type = contentTypeOf(response.headers);
      throw new NoEmbeddings(`more than ${LARGEST_ANSWER} bytes`, response.status, type);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
