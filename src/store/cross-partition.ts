/**
 * Queries, within bounds that the SDK does not have: of time, of pages, and of what it does between two pages. Those
 * over several partitions are special: after a split of a physical partition, @azure/cosmos 4.10.1 asks for the old one
 * without end, so the request plugin turns that answer into `RangeGone` and renews the client (cosmos.ts).
 */
import { setImmediate } from "node:timers/promises";
import type { Container, FeedOptions, SqlQuerySpec } from "@azure/cosmos";
import type { AccountConsistency } from "./consistency.ts";
import { RangeGone, type StoreHealth, StoreTrouble } from "./trouble.ts";
import { QUERY_TIMEOUT } from "./waits.ts";

/** More pages than any query of the app has. An iterator of the SDK may go on for ever without asking the store. */
const MOST_PAGES = 1_000;

/** What queries over all partitions work with. After a split, the containers are others. */
export interface QueryTools {
  containers: { allThreads: Container; allCatalogs: Container; allStores: Container };
  health: StoreHealth;
  consistency: AccountConsistency;
}

/**
 * The first `limit` results, from all partitions. Aggregates must not be asked for: an empty page makes the SDK tell
 * their value again and again. Throws `StoreTrouble`.
 */
export function queryThreads<T>(tools: QueryTools, query: SqlQuerySpec, limit: number): Promise<T[]> {
  return queryAll<T>(tools, "allThreads", query, limit);
}

/** The same over the catalogs of all tenants. */
export function queryCatalogs<T>(tools: QueryTools, query: SqlQuerySpec, limit: number): Promise<T[]> {
  return queryAll<T>(tools, "allCatalogs", query, limit);
}

/** The same over all vector stores. */
export function queryStores<T>(tools: QueryTools, query: SqlQuerySpec, limit: number): Promise<T[]> {
  return queryAll<T>(tools, "allStores", query, limit);
}

async function queryAll<T>(
  tools: QueryTools,
  container: keyof QueryTools["containers"],
  query: SqlQuerySpec,
  limit: number,
): Promise<T[]> {
  try {
    return await queryOnce<T>(tools, container, query, limit);
  } catch (error) {
    if (!(error instanceof RangeGone)) throw error;
    return queryOnce<T>(tools, container, query, limit);
  }
}

async function queryOnce<T>(
  { containers, health, consistency }: QueryTools,
  container: keyof QueryTools["containers"],
  query: SqlQuerySpec,
  limit: number,
): Promise<T[]> {
  const end = performance.now() + QUERY_TIMEOUT;
  const patience = new AbortController();
  const options: FeedOptions = {
    ...consistency.readOptions("account"),
    maxItemCount: Math.min(limit, LARGEST_PAGE),
    abortSignal: patience.signal,
  };
  const iterator = containers[container].items.query<T>(query, options);
  const found: T[] = [];
  try {
    for (let pages = 0; iterator.hasMoreResults() && found.length < limit; pages++) {
      if (pages === MOST_PAGES) throw health.met(new StoreTrouble(`a query has more than ${MOST_PAGES} pages`));
      const page = await health.answer(iterator.fetchNext(), Math.max(end - performance.now(), 0));
      for (const result of page.resources ?? []) found.push(result);
      // The SDK may answer from memory, so that nothing else would get its turn.
      await setImmediate();
    }
  } finally {
    // If the SDK still asks the store for this query, it stops now.
    patience.abort();
  }
  return found;
}

const LARGEST_PAGE = 1_000;
