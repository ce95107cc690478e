/** How near the simulated embeddings of texts are to each other. */
import { expect, test } from "vitest";
import { embeddingsOf, parseEmbeddingRequest } from "../../../local/model/embeddings.ts";

const vectors = (input: string[], more: object = {}) =>
  embeddingsOf(parseEmbeddingRequest({ model: "m", input, ...more })).data.map(({ embedding }) => embedding);

/** The cosine: all of them have the length 1. */
function nearness(a: string, b: string, dimensions = 256): number {
  const [one = [], other = []] = vectors([a, b], { dimensions });
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}

test("forms of a word are one word, and stop words are none", () => {
  expect(nearness("The parcels were shipped", "shipping a parcel")).toBeCloseTo(1, 6);
  expect(nearness("parcel", "parcel of the and with")).toBeCloseTo(1, 6);
});

test("words that are only written alike are nearer than others", () => {
  expect(nearness("photograph", "photography")).toBeGreaterThan(nearness("photograph", "zucchini") + 0.15);
  expect(nearness("electromagnet", "electromagnetism", 1536)).toBeGreaterThan(0.2);
});

test("what is repeated counts more, but not as often as it is repeated", () => {
  const once = nearness("parcel invoice", "parcel");
  const ten = nearness(`${"parcel ".repeat(10)}invoice`, "parcel");
  expect(ten).toBeGreaterThan(once);
  expect(ten).toBeLessThan(0.97);
});

test("every text has a vector of length 1: the same each time, and of so many dimensions as asked for", () => {
  const texts = ["the", "!?", "東京都の天気", "a".repeat(5_000), "5 apples"];
  for (const dimensions of [1, 8, 256, 3072]) {
    const made = vectors(texts, { dimensions });
    expect(made).toEqual(vectors(texts, { dimensions }));
    for (const vector of made) {
      expect(vector).toHaveLength(dimensions);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
  }
});

test("base64 holds the same numbers, and the usage tells the tokens", () => {
  const request = { model: "m", input: "hello world", dimensions: 8 };
  const plain = embeddingsOf(parseEmbeddingRequest({ ...request, encoding_format: "float" }));
  const packed = embeddingsOf(parseEmbeddingRequest({ ...request, encoding_format: "base64" }));
  const bytes = Buffer.from(String(packed.data[0]?.embedding), "base64");
  const floats = Array.from({ length: 8 }, (_, index) => bytes.readFloatLE(4 * index));
  expect(floats).toEqual(plain.data[0]?.embedding);
  // A token for four characters.
  expect(plain.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
});
