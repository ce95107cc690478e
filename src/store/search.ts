/**
 * The queries of a search in one vector store: the only place with SQL for vectors and full text. What the service and
 * @azure/cosmos 4.10.1 do to such queries (docs/architecture.md, "Search") is why they look as they do:
 *
 * - Every query names the partition in its condition. Once a query runs by a plan, the SDK forgets the partition key of
 *   its
 *   options, and asks all physical partitions.
 * - All pages are read, and the app sorts: a page is not the beginning of a sorted list.
 * - Words are asked for without a partition key, with which ORDER BY RANK has no effect, and by a plan from the start.
 *   The
 *   plan's newer form ("optimization") leaves the SDK's results of a single score unsorted, so it is declined.
 */
import { setImmediate } from "node:timers/promises";
import type { Container, FeedOptions, FeedResponse, QueryIterator, SqlParameter } from "@azure/cosmos";
import type { Attributes } from "../resources/attributes.ts";
import type { AccountConsistency } from "./consistency.ts";
import { RangeGone, type StoreHealth, StoreTrouble } from "./trouble.ts";
import { QUERY_TIMEOUT } from "./waits.ts";

/** How many chunks each of the queries finds at the most. */
export const MOST_FOUND = 50;

/** More pages than such a query can have: an iterator of the SDK may go on for ever without asking the store. */
const MOST_PAGES = 1_000;

/** A chunk that was found. `cos`: the cosine of its vector and the query's. */
export interface FoundChunk {
  id: string;
  file_id: string;
  filename: string;
  n: number;
  text: string;
  attributes: Attributes;
  cos?: number;
}

/** A further condition on the item `c`, with its parameters. */
export interface Condition {
  sql: string;
  parameters: SqlParameter[];
}

export interface SearchTools {
  containers: { stores: Container; allStores: Container };
  health: StoreHealth;
  consistency: AccountConsistency;
}

const FOUND =
  `SELECT TOP ${MOST_FOUND} c.id, c.file_id, c.filename, c.n, c.text, c.attributes, ` +
  "VectorDistance(c.vector, @vector) AS cos FROM c WHERE c.pk = @pk AND IS_DEFINED(c.vector)";

/** The chunks of one vector store. */
export class ChunkSearch {
  readonly #tools: SearchTools;
  readonly #key: string;

  constructor(tools: SearchTools, key: string) {
    this.#tools = tools;
    this.#key = key;
  }

  /** Those with the nearest vectors, the nearest first. Throws `StoreTrouble`, and the signal's reason. */
  async nearest(vector: number[], condition: Condition | undefined, signal: AbortSignal): Promise<FoundChunk[]> {
    const query = this.#query("ORDER BY VectorDistance(c.vector, @vector)", vector, condition);
    const options = { partitionKey: this.#key, maxItemCount: MOST_FOUND };
    const found = await this.#all(() => this.#tools.containers.stores, query, options, signal);
    return found.sort((a, b) => (b.cos ?? 0) - (a.cos ?? 0)).slice(0, MOST_FOUND);
  }

  /** Those that have most of up to eight words, in any order. Throws `StoreTrouble`, and the signal's reason. */
  async withWords(
    words: string[],
    vector: number[],
    condition: Condition | undefined,
    signal: AbortSignal,
  ): Promise<FoundChunk[]> {
    const parameters = words.map((value, index) => ({ name: `@word${index}`, value }));
    const names = parameters.map(({ name }) => name).join(", ");
    const query = this.#query(`ORDER BY RANK FullTextScore(c.text, ${names})`, vector, condition);
    query.parameters.push(...parameters);
    const options = {
      forceQueryPlan: true,
      disableHybridSearchQueryPlanOptimization: true,
      maxItemCount: MOST_FOUND,
    };
    const ask = () => this.#all(() => this.#tools.containers.allStores, query, options, signal);
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RangeGone)) throw error;
      // The client is renewed by now.
      return ask();
    }
  }

  #query(order: string, vector: number[], condition: Condition | undefined) {
    const filter = condition === undefined ? "" : ` AND (${condition.sql})`;
    const own: SqlParameter[] = [
      { name: "@pk", value: this.#key },
      { name: "@vector", value: vector },
    ];
    return { query: `${FOUND}${filter} ${order}`, parameters: [...own, ...(condition?.parameters ?? [])] };
  }

  async #all(
    container: () => Container,
    query: { query: string; parameters: SqlParameter[] },
    options: FeedOptions,
    signal: AbortSignal,
  ): Promise<FoundChunk[]> {
    const { health, consistency } = this.#tools;
    const end = performance.now() + QUERY_TIMEOUT;
    const patience = new AbortController();
    const asked = { ...consistency.readOptions("account"), ...options, abortSignal: patience.signal };
    const iterator = container().items.query<FoundChunk>(query, asked);
    const found: FoundChunk[] = [];
    try {
      for (let pages = 0; iterator.hasMoreResults(); pages += 1) {
        if (pages === MOST_PAGES) throw health.met(new StoreTrouble(`a search has more than ${MOST_PAGES} pages`));
        signal.throwIfAborted();
        const page = nextPage(iterator, signal);
        found.push(...(await health.answer(page, Math.max(end - performance.now(), 0))).resources);
        // The SDK may answer from memory, so that nothing else would get its turn.
        await setImmediate();
      }
      signal.throwIfAborted();
    } finally {
      // If the SDK still asks the store for this query, it stops now.
      patience.abort();
    }
    return found;
  }
}

/** Nothing once the signal is aborted: that a search is not wanted any more is no trouble of the store. */
async function nextPage<T>(iterator: QueryIterator<T>, signal: AbortSignal): Promise<{ resources: T[] }> {
  const stop = new AbortController();
  const aborted = new Promise<{ resources: T[] }>((resolve) => {
    const options = { once: true, signal: stop.signal };
    signal.addEventListener("abort", () => resolve({ resources: [] }), options);
  });
  const page = iterator.fetchNext().then((response: FeedResponse<T>) => ({ resources: response.resources ?? [] }));
  try {
    return await Promise.race([page, aborted]);
  } finally {
    stop.abort();
    // It ends with an error when the query is stopped.
    page.catch(() => {});
  }
}
