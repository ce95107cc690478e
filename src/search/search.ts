/** Searches one vector store: by meaning and by words, and puts both together. */
import type { AttributeFilter, Attributes } from "../resources/attributes.ts";
import { inLanes } from "../resources/lanes.ts";
import { MAX_LIST_BYTES, sizeOf } from "../resources/limits.ts";
import { Room } from "../resources/room.ts";
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

/** Queries of one search at the same time. */
const LANES = 2;

/** Queries of all searches of this process at the same time: each holds up to 100 chunks with their texts. */
const queryRoom = new Room(4);

/**
 * The best passages for any of the queries, the best first: each passage once, with its best score; only as many as
 * have `MAX_LIST_BYTES` together. A store without chunks, or one that there is not, has none. Throws `StoreTrouble`,
 * and the signal's reason.
 */
export async function searchStore(store: Store, options: SearchOptions): Promise<SearchResult[]> {
  const { tenant, vectorStoreId, queries, filters, maxNumResults, ranking = {}, signal } = options;
  const chunks = store.chunks(tenant, vectorStoreId);
  const condition = filters && filterCondition(filters);
  const weights = weightsOf(ranking);
  const best = new Best(ranking.scoreThreshold ?? 0);
  await inLanes(
    LANES,
    queries,
    async (query, stop) => {
      const leave = await queryRoom.take(1, stop);
      try {
        const found = await candidates(chunks, query, { condition, weights, signal: stop });
        best.add(scored(query.text, found, weights));
      } finally {
        leave();
      }
    },
    signal,
  );
  const good = best.sorted();
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

/** Keeps the best of all that are added, each chunk once: as many as have `MAX_LIST_BYTES` together. */
class Best {
  readonly #threshold: number;
  #kept = new Map<string, Scored & { bytes: number }>();

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  add(found: Scored[]): void {
    const all = [...this.#kept.values(), ...found.filter(({ score }) => score >= this.#threshold)];
    const sizes = new Map([...this.#kept].map(([id, { bytes }]) => [id, bytes]));
    this.#kept = new Map();
    let total = 0;
    for (const { chunk, score } of all.sort((a, b) => b.score - a.score)) {
      if (this.#kept.has(chunk.id)) continue;
      const bytes = sizes.get(chunk.id) ?? sizeOf(chunk);
      total += bytes;
      if (total > MAX_LIST_BYTES) return;
      this.#kept.set(chunk.id, { chunk, score, bytes });
    }
  }

  /** The best first. */
  sorted(): Scored[] {
    return [...this.#kept.values()];
  }
}

const resultOf = ({ chunk, score }: Scored): SearchResult => ({
  fileId: chunk.file_id,
  filename: chunk.filename,
  score,
  attributes: chunk.attributes,
  text: chunk.text,
  n: chunk.n,
});
