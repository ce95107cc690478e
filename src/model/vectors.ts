/** The embeddings in an answer of OpenAI's form, read leniently where servers differ and strictly where it matters. */
import { isFields } from "./pieces.ts";

/** What is wrong with an answer, to follow "answered with". */
export class NotVectors extends Error {}

/** Of a vector's numbers: more digits are noise, and would take half of the store. */
const DECIMALS = 100_000;

/**
 * A vector for each of `count` texts, in the order of the texts, whatever the order of the answer; all of the same
 * length. Throws NotVectors if one is missing, of another length, or has anything but finite numbers.
 */
export function readVectors(body: unknown, count: number): Float64Array[] {
  const data: unknown = isFields(body) ? body.data : undefined;
  if (!Array.isArray(data)) throw new NotVectors("JSON that holds no embeddings");
  if (data.length !== count) throw new NotVectors(`${data.length} embeddings for ${count} texts`);
  const vectors = new Array<Float64Array | undefined>(count).fill(undefined);
  for (const [place, each] of data.entries()) {
    if (!isFields(each)) throw new NotVectors("something that is no embedding");
    const index = each.index ?? place;
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= count) {
      throw new NotVectors("an embedding of no text that was sent");
    }
    if (vectors[index] !== undefined) throw new NotVectors("two embeddings of the same text");
    vectors[index] = numbersOf(each.embedding);
  }
  const found = vectors.filter((vector) => vector !== undefined);
  if (found.some(({ length }) => length !== found[0]?.length)) throw new NotVectors("embeddings of different lengths");
  return found;
}

function numbersOf(embedding: unknown): Float64Array {
  const numbers = typeof embedding === "string" ? decoded(embedding) : embedding;
  if (!Array.isArray(numbers) || numbers.length === 0) throw new NotVectors("an embedding without numbers");
  if (!numbers.every(Number.isFinite)) throw new NotVectors("an embedding with something else than numbers");
  return Float64Array.from(numbers);
}

/** Base64 of 32-bit floating-point numbers, the lowest byte first. */
function decoded(text: string): number[] | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length % 4 !== 0) return undefined;
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

/**
 * Scaled to length 1, so that a product is a cosine, and rounded to five decimals: a third of a chunk's bytes less, and
 * no other order of results. Throws NotVectors if it has no direction.
 */
export function normalised(vector: Float64Array): number[] {
  const largest = vector.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  // Squares of very large or small numbers would leave the range.
  const length = largest * Math.sqrt(vector.reduce((sum, each) => sum + (each / largest) ** 2, 0));
  if (!(length > 0 && Number.isFinite(length))) throw new NotVectors("an embedding that has no direction");
  return Array.from(vector, (each) => Math.round((each / length) * DECIMALS) / DECIMALS);
}
