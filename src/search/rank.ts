/**
 * One score for passages that were found by meaning, by words or both: the nearness of the vectors, and the share of
 * the query's words. Both are from 0 to 1, so the score is, and a threshold means the same for every query. That finds
 * as much as merging the two lists by ranks does (docs/architecture.md, "Search").
 */
import type { FoundChunk } from "../store/search.ts";
import { stemsOf } from "./words.ts";

/** What one kind of nearness counts beside the other. */
export interface Weights {
  embedding: number;
  text: number;
}

export interface Scored {
  chunk: FoundChunk;
  score: number;
}

/** Okapi BM25, with the constants that are usual. */
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;

/** The best first; of equals the first ones stay first. */
export function scored(query: string, chunks: FoundChunk[], { embedding, text }: Weights): Scored[] {
  const share = text === 0 ? () => 0 : wordShare(query, chunks);
  // Of two numbers near the largest that there is, the sum would be infinite.
  const most = Math.max(embedding, text);
  const [near, worded] = [embedding / most, text / most];
  return chunks
    .map((chunk) => ({ chunk, score: (near * nearness(chunk) + worded * share(chunk)) / (near + worded) }))
    .sort((a, b) => b.score - a.score);
}

/** Opposite directions are as far as texts can be from each other: no less than 0. */
const nearness = ({ cos = 0 }: FoundChunk) => Math.min(Math.max(cos, 0), 1);

/**
 * BM25 as a part of what the best imaginable passage would get. How rare a word is, the passages themselves tell: those
 * of other stores have nothing to do with it.
 */
function wordShare(query: string, chunks: FoundChunk[]): (chunk: FoundChunk) => number {
  const terms = [...new Set(stemsOf(query))];
  const texts = new Map(chunks.map((chunk) => [chunk, countsOf(chunk.text)]));
  const all = [...texts.values()];
  const average = all.reduce((total, { length }) => total + length, 0) / all.length || 1;
  const rarity = new Map(terms.map((term) => [term, rarityIn(all, term)]));
  const most = terms.reduce((total, term) => total + (rarity.get(term) ?? 0) * (SATURATION + 1), 0) || 1;
  return (chunk) => {
    const { counts, length } = texts.get(chunk) ?? NOTHING;
    const weight = SATURATION * (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * length) / average);
    const score = terms.reduce((total, term) => {
      const count = counts.get(term) ?? 0;
      return total + ((rarity.get(term) ?? 0) * count * (SATURATION + 1)) / (count + weight);
    }, 0);
    return score / most;
  };
}

interface Counts {
  counts: Map<string, number>;
  length: number;
}

const NOTHING: Counts = { counts: new Map(), length: 0 };

function countsOf(text: string): Counts {
  const stems = stemsOf(text);
  const counts = new Map<string, number>();
  for (const stem of stems) counts.set(stem, (counts.get(stem) ?? 0) + 1);
  return { counts, length: stems.length };
}

function rarityIn(texts: Counts[], term: string): number {
  const hits = texts.filter(({ counts }) => counts.has(term)).length;
  return Math.log(1 + (texts.length - hits + 0.5) / (hits + 0.5));
}
