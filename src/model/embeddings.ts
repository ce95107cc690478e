/**
 * The embedding model: any OpenAI-compatible endpoint, or Azure OpenAI by key or managed identity. Texts that are near
 * in meaning get vectors that are near.
 */
import type { Config } from "../config.ts";
import type { Details } from "../log.ts";
import type { EmbeddingCall } from "./embedding-call.ts";
import type { EmbeddingTrouble } from "./embedding-trouble.ts";
import { NoEmbeddingModel } from "./types.ts";

/** Of one call: OpenAI takes 2,048 texts and 300,000 tokens. */
const MOST_TEXTS = 64;
const MOST_TOKENS = 250_000;

const CALLS_AT_ONCE = 2;

/** Queries whose vectors are remembered, and how long they may be, in characters. */
const REMEMBERED_QUERIES = 1_000;
const LONGEST_REMEMBERED = 2_000;

/** What gets a vector. */
export interface Embeddable {
  text: string;
  tokens: number;
}

export interface Embedded<Item> {
  item: Item;
  /** of length 1, rounded to 5 decimals */
  vector: number[];
}

export class Embeddings {
  readonly #config: Config;
  #call: Promise<EmbeddingCall> | undefined;
  /** the oldest first */
  readonly #queries = new Map<string, number[]>();

  constructor(config: Config) {
    this.#config = config;
  }

  /** Whether the settings name a model. Without one, every call throws NoEmbeddingModel. */
  get isSet(): boolean {
    return this.#config.embeddings.model !== undefined;
  }

  /** Loads the libraries, which a process that searches no files never needs. */
  connect(): Promise<EmbeddingCall> {
    const { model } = this.#config.embeddings;
    if (model === undefined) return Promise.reject(new NoEmbeddingModel());
    this.#call ??= import("./embedding-call.ts").then(({ connectEmbeddings }) =>
      connectEmbeddings(this.#config, model),
    );
    return this.#call;
  }

  /**
   * Vectors of the items, in their order, in batches of up to 64 that come while further ones are under way: two calls
   * at a time. Takes items only as fast as they are embedded. Throws what a call threw, and retries nothing: `trouble`
   * says what to do. Ends with the signal's reason when that is aborted.
   */
  async *embed<Item extends Embeddable>(
    items: AsyncIterable<Item> | Iterable<Item>,
    signal: AbortSignal,
  ): AsyncGenerator<Embedded<Item>[]> {
    const ending = new AbortController();
    const stop = AbortSignal.any([signal, ending.signal]);
    const underWay: Promise<Embedded<Item>[]>[] = [];
    try {
      for await (const batch of batches(items)) {
        const embedded = this.#embedBatch(batch, stop);
        // A later batch may fail while an earlier one is waited for.
        embedded.catch(() => {});
        underWay.push(embedded);
        if (underWay.length < CALLS_AT_ONCE) continue;
        const first = await underWay.shift();
        if (first !== undefined) yield first;
      }
      for (const embedded of underWay) yield await embedded;
    } finally {
      ending.abort();
    }
  }

  /** Vectors of queries, in their order; one call for those that this process has not asked for lately. */
  async embedQueries(queries: readonly string[], signal: AbortSignal): Promise<number[][]> {
    const known = new Map(queries.map((query) => [query, this.#queries.get(query)]));
    const missing = [...known].flatMap(([query, vector]) => (vector === undefined ? query : []));
    if (missing.length > 0) {
      const vectors = await (await this.connect())(missing, signal);
      for (const [index, query] of missing.entries()) known.set(query, vectors[index]);
    }
    for (const [query, vector] of known) if (vector !== undefined) this.#remember(query, vector);
    return queries.map((query) => known.get(query) ?? []);
  }

  /** What to do about an error that `embed` or `embedQueries` threw. */
  async trouble(error: unknown): Promise<EmbeddingTrouble> {
    const { embeddingTrouble } = await import("./embedding-trouble.ts");
    return embeddingTrouble(error, this.#config.embeddings.model ?? "");
  }

  /** What an operator needs to know of such an error. */
  async failure(error: unknown): Promise<Details> {
    const { embeddingFailure } = await import("./embedding-trouble.ts");
    const { endpoint, model } = this.#config.embeddings;
    return { host: new URL(endpoint).host, model, ...embeddingFailure(error) };
  }

  async #embedBatch<Item extends Embeddable>(batch: Item[], signal: AbortSignal): Promise<Embedded<Item>[]> {
    const call = await this.connect();
    signal.throwIfAborted();
    const vectors = await call(
      batch.map(({ text }) => text),
      signal,
    );
    return batch.map((item, index) => ({ item, vector: vectors[index] ?? [] }));
  }

  #remember(query: string, vector: number[]): void {
    if (query.length > LONGEST_REMEMBERED) return;
    this.#queries.delete(query);
    this.#queries.set(query, vector);
    const [oldest] = this.#queries.keys();
    if (this.#queries.size > REMEMBERED_QUERIES && oldest !== undefined) this.#queries.delete(oldest);
  }
}

/** As many items together as a call takes. */
async function* batches<Item extends Embeddable>(items: AsyncIterable<Item> | Iterable<Item>): AsyncGenerator<Item[]> {
  let batch: Item[] = [];
  let tokens = 0;
  for await (const item of items) {
    if (batch.length === MOST_TEXTS || (batch.length > 0 && tokens + item.tokens > MOST_TOKENS)) {
      yield batch;
      batch = [];
      tokens = 0;
    }
    batch.push(item);
    tokens += item.tokens;
  }
  if (batch.length > 0) yield batch;
}
