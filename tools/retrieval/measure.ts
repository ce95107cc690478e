/** Writes a collection into a vector store, asks all its queries and tells how good the answers are. */
import type { SearchRanking } from "../../src/search/search.ts";
import type { Collection } from "./beir.ts";
import type { SearchedStore } from "./local.ts";
import { mean, median, ndcg, recall } from "./measures.ts";

export interface Quality {
  documents: number;
  queries: number;
  ndcg10: number;
  recall5: number;
  recall20: number;
  /** milliseconds of a search */
  medianMs: number;
  /** request units of a document that is written, and of a search */
  unitsPerDocument: number;
  unitsPerSearch: number;
  /** queries whose first five results have nothing relevant */
  missed: string[];
}

/** As deep as the deepest measure. */
const DEPTH = 20;

export async function measure(
  store: SearchedStore,
  { documents, queries }: Collection,
  ranking: SearchRanking,
): Promise<Quality> {
  await store.add(documents);
  const written = store.units();
  const answers: { found: string[]; relevant: Map<string, number>; ms: number; text: string }[] = [];
  for (const { text, relevant } of queries) {
    const start = performance.now();
    const found = await store.search(text, DEPTH, ranking);
    answers.push({ found, relevant, ms: performance.now() - start, text });
  }
  const each = (value: (answer: (typeof answers)[number]) => number) => mean(answers.map(value));
  return {
    documents: documents.size,
    queries: queries.length,
    ndcg10: each(({ found, relevant }) => ndcg(found, relevant, 10)),
    recall5: each(({ found, relevant }) => recall(found, relevant, 5)),
    recall20: each(({ found, relevant }) => recall(found, relevant, 20)),
    medianMs: median(answers.map(({ ms }) => ms)),
    unitsPerDocument: written / documents.size,
    unitsPerSearch: (store.units() - written) / queries.length,
    missed: answers.filter(({ found, relevant }) => recall(found, relevant, 5) === 0).map(({ text }) => text),
  };
}
