import type { CreateEmbeddingResponse } from "openai/resources/embeddings";
import { wordsOf } from "../text/words.ts";
import { invalidRequest } from "./api-error.ts";
import { countTokens } from "./tokens.ts";

export interface EmbeddingRequest {
  model: string;
  inputs: string[];
  dimensions: number;
  asBase64: boolean;
}

const MOST_INPUTS = 2048;
const MOST_DIMENSIONS = 3072;

export function parseEmbeddingRequest(body: unknown, deployment?: string): EmbeddingRequest {
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const model = deployment ?? fields.model;
  if (typeof model !== "string" || model === "") throw invalidRequest("you must provide a model parameter");
  const dimensions = fields.dimensions ?? (model.includes("large") ? MOST_DIMENSIONS : 1536);
  if (
    typeof dimensions !== "number" ||
    !Number.isInteger(dimensions) ||
    dimensions < 1 ||
    dimensions > MOST_DIMENSIONS
  ) {
    throw invalidRequest(`Invalid value for 'dimensions': expected 1 to ${MOST_DIMENSIONS}.`, "dimensions");
  }
  return { model, inputs: inputsOf(fields.input), dimensions, asBase64: fields.encoding_format === "base64" };
}

/** Token arrays are hashed as if each token were a word. */
function inputsOf(input: unknown): string[] {
  const isTokens = (value: unknown) => Array.isArray(value) && value.every((each) => typeof each === "number");
  const list = typeof input === "string" || isTokens(input) ? [input] : input;
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_INPUTS) {
    throw invalidRequest(`'input' must be a text, or an array of 1 to ${MOST_INPUTS} of them.`, "input");
  }
  return list.map((each) => {
    const text = isTokens(each) ? (each as number[]).join(" ") : each;
    if (typeof text !== "string" || text === "") throw invalidRequest("'input' has an empty or invalid text.", "input");
    return text;
  });
}

export function embeddingsOf(request: EmbeddingRequest): CreateEmbeddingResponse {
  const tokens = request.inputs.reduce((sum, input) => sum + countTokens(input), 0);
  const data = request.inputs.map((input, index) => {
    const vector = vectorOf(input, request.dimensions);
    // The SDK asks for base64 by default and decodes it; its types know only the decoded form.
    const embedding = request.asBase64 ? (base64Of(vector) as unknown as number[]) : Array.from(vector);
    return { object: "embedding" as const, index, embedding };
  });
  return { object: "list", model: request.model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** What pieces of words count beside the words: texts that write a word otherwise are still near. */
const PIECE_WEIGHT = 0.3;
const PIECE_LENGTH = 4;

/**
 * A hashed bag of words: each word's stem adds to one coordinate, with a sign from its hash, and so does each piece of
 * it; the whole is scaled to length 1. Texts that share words are near to each other. On the Cranfield collection that
 * finds nearly as much as BM25 does (docs/performance.md): enough to test retrieval with, though meaning has no part in
 * it.
 */
function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  const add = (feature: string, weight: number) => {
    const hash = hashOf(feature);
    const at = (hash >>> 1) % dimensions;
    vector[at] = (vector[at] ?? 0) + (hash & 1 ? weight : -weight);
  };
  for (const [word, count] of countsOf(text)) {
    // A word that stands there ten times tells more than once, but not ten times as much.
    const weight = 1 + Math.log(count);
    add(word, weight);
    const framed = `^${word}$`;
    for (let at = 0; at + PIECE_LENGTH <= framed.length; at += 1) {
      add(`#${framed.slice(at, at + PIECE_LENGTH)}`, PIECE_WEIGHT * weight);
    }
  }
  let length = Math.hypot(...vector);
  if (length === 0) {
    // Two words that cancel each other out: any direction will do, but it must be one.
    vector[0] = 1;
    length = 1;
  }
  return vector.map((each) => each / length);
}

/** A text of stop words and signs is a word itself. */
function countsOf(text: string): Map<string, number> {
  const words = wordsOf(text);
  const counts = new Map<string, number>();
  for (const word of words.length > 0 ? words : [text.toLowerCase()]) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** FNV-1a, 32 bits, with a last mixing step since its low bits alone are weak. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
