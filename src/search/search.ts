/** Searches one vector store: by meaning and by words, and puts both together. */
import type { AttributeFilter, Attributes } from "../resources/attributes.ts";
import type { Doc } from "../store/documents.ts";
import { type ChunkSearch, type Condition, type FoundChunk, MOST_FOUND } from "../store/search.ts";
import type { Store } from "../store/store.ts";
import type { VectorStoreFileDoc } from "../store/vector-documents.ts";
import { docsOf } from "../stores/files.ts";
import { filterCondition } from "./filters.ts";
import { type Scored, scored, type Weights } from "./rank.ts";
import { keyWords } from "./words.ts";

/** A query with the vector of its text. */
export interface SearchQuery {
  text: string;
  vector: number[];
}

/** The API's `ranking_options`. What is not given is as the API has it. */
export interface SearchRanking {
  /** "none": by meaning only. All others are the one that there is. */
  ranker?: string | undefined;
  /** From 0 to 1: passages with less are left out. 0 if not given. */
  scoreThreshold?: number | undefined;
  /** What meaning counts beside words, and words beside meaning; as much if not given. Not both may be 0. */
  embeddingWeight?: number | undefined;
  textWeight?: number | undefined;
}

export interface SearchOptions {
  tenant: string;
  vectorStoreId: string;
  queries: SearchQuery[];
  filters?: AttributeFilter | undefined;
  maxNumResults: number;
  ranking?: SearchRanking | undefined;
  signal: AbortSignal;
  /** Chunks are found whether or not the store has their file: for collections that are chunks alone. */
  isOfChunksOnly?: boolean;
}

export interface SearchResult {
  fileId: string;
  filename: string;
  /** from 0 to 1 */
  score: number;
  attributes: Attributes;
  text: string;
  /** which chunk of its file it is, from 0 */
  n: number;
}

/**
 * The best passages for any of the queries, the best first: each passage once, with its best score. A store without
 * chunks, or one that there is not, has none. Throws `StoreTrouble`, and the signal's reason.
 */
export async function searchStore(store: Store, options: SearchOptions): Promise<SearchResult[]> {
  const { tenant, vectorStoreId, queries, filters, maxNumResults, ranking = {}, signal } = options;
  const chunks = store.chunks(tenant, vectorStoreId);
  const condition = filters && filterCondition(filters);
  const weights = weightsOf(ranking);
  const found = await Promise.all(
    queries.map(async (query) =>
      scored(query.text, await candidates(chunks, query, { condition, weights, signal }), weights),
    ),
  );
  const good = best(found.flat()).filter(({ score }) => score >= (ranking.scoreThreshold ?? 0));
  const there = options.isOfChunksOnly ? good : await ofFilesThere(store, options, good);
  return there.slice(0, maxNumResults).map(resultOf);
}

/**
 * Those of files that are in the store and wholly read. The chunks of a file that was taken out, cancelled or deleted
 * go later, and those of one that is being read come before it has ended.
 */
async function ofFilesThere(
  store: Store,
  { tenant, vectorStoreId }: SearchOptions,
  found: Scored[],
): Promise<Scored[]> {
  const ids = [...new Set(found.map(({ chunk }) => chunk.file_id))];
  const docs = await docsOf(store.vectorStore(tenant, vectorStoreId), ids);
  const there = new Set(docs.flatMap((doc) => (isCompleted(doc) ? [doc.id] : [])));
  return found.filter(({ chunk }) => there.has(chunk.file_id));
}

const isCompleted = (doc: Doc) =>
  doc.kind === "vector_store_file" && (doc as VectorStoreFileDoc).status === "completed";

function weightsOf({ ranker, embeddingWeight = 0.5, textWeight = 0.5 }: SearchRanking): Weights {
  return ranker === "none" ? { embedding: 1, text: 0 } : { embedding: embeddingWeight, text: textWeight };
}

interface How {
  condition: Condition | undefined;
  weights: Weights;
  signal: AbortSignal;
}

/**
 * Of a small store, such as a thread's, all chunks come by their vectors: then words need not be asked for as well.
 */
async function candidates(chunks: ChunkSearch, { text, vector }: SearchQuery, how: How): Promise<FoundChunk[]> {
  const { condition, weights, signal } = how;
  const near = await chunks.nearest(vector, condition, signal);
  const words = weights.text === 0 || near.length < MOST_FOUND ? [] : keyWords(text);
  if (words.length === 0) return near;
  const byWords = await chunks.withWords(words, vector, condition, signal);
  return [...new Map([...near, ...byWords].map((chunk) => [chunk.id, chunk])).values()];
}

function best(all: Scored[]): Scored[] {
  const byId = new Map<string, Scored>();
  for (const each of all.sort((a, b) => b.score - a.score)) if (!byId.has(each.chunk.id)) byId.set(each.chunk.id, each);
  return [...byId.values()];
}

const resultOf = ({ chunk, score }: Scored): SearchResult => ({
  fileId: chunk.file_id,
  filename: chunk.filename,
  score,
  attributes: chunk.attributes,
  text: chunk.text,
  n: chunk.n,
});
