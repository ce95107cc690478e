/** Words of queries and passages, and the score of a passage. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scored } from "../../../src/search/rank.ts";
import { keyWords, stemsOf } from "../../../src/search/words.ts";
import type { FoundChunk } from "../../../src/store/search.ts";

const chunk = (id: string, text: string, cos?: number): FoundChunk => ({
  id,
  file_id: `file-${id}`,
  filename: `${id}.txt`,
  n: 0,
  text,
  attributes: {},
  ...(cos !== undefined && { cos }),
});

describe("words", () => {
  test.each([
    ["What are the shipping costs of parcels?", ["ship", "cost", "parcel"]],
    ["東京都", ["東京", "京都"]],
    ["猫", ["猫"]],
    ["What is it?", []],
    ["", []],
  ])("%s", (text, stems) => expect(stemsOf(text)).toEqual(stems));

  test("of a query, the longest eight that differ by more than their ending", () => {
    expect(keyWords("The parcel: parcels, invoices")).toEqual(["invoices", "parcel"]);
    const many = Array.from({ length: 30 }, (_, i) => "x".repeat(i + 1)).join(" ");
    expect(keyWords(many).map((word) => word.length)).toEqual([30, 29, 28, 27, 26, 25, 24, 23]);
    expect(keyWords("who is it")).toEqual([]);
    expect(keyWords(`${"y".repeat(65)} short`)).toEqual(["short"]);
  });

  test("any text has words, and no word of a query is longer than an index takes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(stemsOf(text).every((stem) => stem.length > 0)).toBe(true);
        const words = keyWords(text);
        expect(words.length).toBeLessThanOrEqual(8);
        expect(words.every((word) => word.length <= 64 && /^[\p{L}\p{N}]+$/u.test(word))).toBe(true);
      }),
    );
  });
});

describe("the score", () => {
  const chunks = [
    chunk("near", "about other things", 0.9),
    chunk("words", "parcel invoice", 0.1),
    chunk("none", "", 0),
  ];

  test("is that of the vectors, or that of the words, by the weights", () => {
    const order = (embedding: number, text: number) =>
      scored("parcel invoices", chunks, { embedding, text }).map((each) => each.chunk.id);
    expect(order(1, 0)).toEqual(["near", "words", "none"]);
    expect(order(0, 1)[0]).toBe("words");
    expect(order(0.9, 0.1)[0]).toBe("near");
    expect(scored("parcel", chunks, { embedding: 1, text: 0 })[0]?.score).toBe(0.9);
  });

  test("is the same for the largest and the smallest weights that are numbers", () => {
    const scores = (weight: number) =>
      scored("parcel invoices", chunks, { embedding: weight, text: weight }).map(({ score }) => score);
    for (const weight of [Number.MAX_VALUE, Number.MIN_VALUE]) expect(scores(weight)).toEqual(scores(1));
  });

  test("tells what share of the words a passage has: rare ones count more", () => {
    const texts = ["zebra", "common", "common word", "common thing"].map((text, index) => chunk(String(index), text));
    const [first, second] = scored("zebra common", texts, { embedding: 0, text: 1 });
    expect(first?.chunk.text).toBe("zebra");
    expect(first?.score).toBeGreaterThan(second?.score ?? 1);
  });

  test("is from 0 to 1, and the best is first, whatever the passages, the query and the weights", () => {
    const passages = fc.array(fc.tuple(fc.lorem({ maxCount: 30 }), fc.double({ min: -1, max: 1.0001, noNaN: true })), {
      maxLength: 20,
    });
    const weights = fc.record({ embedding: fc.double({ min: 0, max: 1 }), text: fc.double({ min: 1e-3, max: 1 }) });
    fc.assert(
      fc.property(fc.lorem({ maxCount: 8 }), passages, weights, (query, given, weight) => {
        fc.pre(!Number.isNaN(weight.embedding) && !Number.isNaN(weight.text));
        const results = scored(
          query,
          given.map(([text, cos], index) => chunk(String(index), text, cos)),
          weight,
        );
        const scores = results.map(({ score }) => score);
        expect(results).toHaveLength(given.length);
        expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
        expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      }),
    );
  });
});
