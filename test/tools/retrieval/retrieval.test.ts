/** What vector stores find: a collection of our own, through the app's store and search. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { readCollection } from "../../../tools/retrieval/beir.ts";
import { startStore } from "../../../tools/retrieval/local.ts";
import { measure } from "../../../tools/retrieval/measure.ts";
import { ndcg, recall } from "../../../tools/retrieval/measures.ts";

const OWN = path.join(import.meta.dirname, "../../../tools/retrieval/own");

test.each([1, 3])(
  "each question of the collection finds its document, with %i physical partitions",
  async (partitions) => {
    const collection = readCollection(OWN);
    expect(collection.documents.size).toBeGreaterThanOrEqual(60);
    expect(collection.queries.length).toBeGreaterThanOrEqual(40);
    const store = await startStore({ dimensions: 256, partitions });
    try {
      const { recall5, missed, ndcg10 } = await measure(store, collection, {});
      expect({ recall5, missed }).toEqual({ recall5: 1, missed: [] });
      expect(ndcg10).toBeGreaterThan(0.9);
    } finally {
      await store.close();
    }
  },
);

test("the measures are those of their definitions", () => {
  const relevant = new Map([
    ["a", 1],
    ["b", 1],
    ["c", 2],
  ]);
  // Gains 3, 1, 1 at their best; here 1 at the first place and 3 at the third.
  const ideal = 3 + 1 / Math.log2(3) + 1 / 2;
  expect(ndcg(["a", "x", "c", "y"], relevant, 10)).toBeCloseTo((1 + 3 / 2) / ideal, 12);
  expect(ndcg(["c", "a", "b"], relevant, 10)).toBe(1);
  expect(ndcg(["x"], relevant, 10)).toBe(0);
  expect(ndcg(["x", "a"], relevant, 1)).toBe(0);
  expect(recall(["a", "x", "c"], relevant, 2)).toBeCloseTo(1 / 3, 12);
  expect(recall(["a", "x", "c"], relevant, 20)).toBeCloseTo(2 / 3, 12);
});

test("a collection may have TREC's judgements; what has none, or no text, is left out", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "beir-"));
  try {
    mkdirSync(path.join(folder, "qrels"));
    const jsonl = (objects: object[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join("");
    writeFileSync(
      path.join(folder, "corpus.jsonl"),
      jsonl([
        { _id: "1", title: "T", text: "one" },
        { _id: "2", text: " " },
      ]),
    );
    writeFileSync(
      path.join(folder, "queries.jsonl"),
      jsonl([
        { _id: "q", text: "?" },
        { _id: "unjudged", text: "?" },
      ]),
    );
    writeFileSync(path.join(folder, "qrels/test.tsv"), "q 0 1 2\nq 0 9 0\n");
    expect(readCollection(folder)).toEqual({
      documents: new Map([["1", "T\none"]]),
      queries: [{ text: "?", relevant: new Map([["1", 2]]) }],
    });
    writeFileSync(path.join(folder, "corpus.jsonl"), '{"_id": 1}\n');
    expect(() => readCollection(folder)).toThrow(/corpus\.jsonl, line 1/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
