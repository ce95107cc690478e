/** The store as the rest of the app sees it: partitions by what they belong to. */
import type { Container } from "@azure/cosmos";
import type { AccountConsistency, Freshness } from "./consistency.ts";
import { type QueryTools, queryCatalogs, queryStores, queryThreads } from "./cross-partition.ts";
import { catalogKey, deletedSort, storeKey, threadKey } from "./documents.ts";
import { Partition, type StoreAccess } from "./partition.ts";
import { ChunkSearch, type SearchTools } from "./search.ts";
import type { SnapshotCache } from "./snapshots.ts";
import { TenantList } from "./tenant-list.ts";
import type { StoreHealth } from "./trouble.ts";

/**
 * A run that is overdue, or a mark that an older build wrote; its id is the thread's. `due` in milliseconds since 1970.
 */
export type OverdueRun =
  | { kind: "run"; tenant: string; thread: string; id: string; due: number }
  | { kind: "deleted_thread"; tenant: string; id: string; due: number };

interface Containers {
  threads: Container;
  catalog: Container;
  stores: Container;
  /** for queries over several partitions (cosmos.ts) */
  allThreads: Container;
  allCatalogs: Container;
  allStores: Container;
}

/** A mark of a deleted or half-written thread; the id is the thread's. */
export interface OverdueMark {
  tenant: string;
  id: string;
  sort: string;
}

/** A file that has expired, or the mark of a deleted one. */
export interface OverdueFile {
  tenant: string;
  id: string;
  /** milliseconds since 1970 */
  due: number;
}

/** A document of a vector store that the ingestion worker should have looked at. */
export interface OverdueInStore {
  kind: string;
  tenant: string;
  /** of its partition */
  pk: string;
  id: string;
  /** milliseconds since 1970 */
  due: number;
}

/** What all stores of a process share. */
export interface SharedState {
  health: StoreHealth;
  snapshots: SnapshotCache;
  consistency: AccountConsistency;
}

export class Store {
  readonly #containers: Containers;
  readonly #freshness: Freshness;
  readonly #shared: SharedState;

  constructor(containers: Containers, freshness: Freshness, shared: SharedState) {
    this.#containers = containers;
    this.#freshness = freshness;
    this.#shared = shared;
  }

  /** The same store with another freshness. */
  with(freshness: Freshness): Store {
    return new Store(this.#containers, freshness, this.#shared);
  }

  /** When this process last met trouble with the store. */
  get health(): StoreHealth {
    return this.#shared.health;
  }

  /** For queries over all tenants' threads, and for searches. */
  get #queryTools(): QueryTools & SearchTools {
    return { containers: this.#containers, ...this.#shared };
  }

  /** What is known of the account's consistency. */
  get consistency(): AccountConsistency {
    return this.#shared.consistency;
  }

  #access(container: Container, freshness = this.#freshness): StoreAccess {
    return { container, freshness, ...this.#shared };
  }

  /** A thread with its messages, runs and steps. */
  thread(tenant: string, threadId: string): Partition {
    return new Partition(this.#access(this.#containers.threads), threadKey(tenant, threadId));
  }

  /** A vector store with its files, batches and chunks. */
  vectorStore(tenant: string, vectorStoreId: string): Partition {
    return new Partition(this.#access(this.#containers.stores), storeKey(tenant, vectorStoreId));
  }

  /** The chunks of a vector store, to be searched. */
  chunks(tenant: string, vectorStoreId: string): ChunkSearch {
    return new ChunkSearch(this.#queryTools, storeKey(tenant, vectorStoreId));
  }

  /** The list of a tenant's threads. */
  threadsOf(tenant: string): TenantList {
    return new TenantList({
      access: this.#access(this.#containers.threads, "account"),
      keyOf: (id) => threadKey(tenant, id),
      query: (query, limit) => queryThreads(this.#queryTools, query, limit),
    });
  }

  /** The list of a tenant's vector stores. */
  vectorStoresOf(tenant: string): TenantList {
    return new TenantList({
      access: this.#access(this.#containers.stores, "account"),
      keyOf: (id) => storeKey(tenant, id),
      query: (query, limit) => queryStores(this.#queryTools, query, limit),
    });
  }

  /** The assistants and files of a tenant. */
  catalog(tenant: string): Partition {
    return new Partition(this.#access(this.#containers.catalog), catalogKey(tenant));
  }

  /** One cheap read: throws if the store does not answer. */
  async ping(): Promise<void> {
    await this.catalog("healthz").read("healthz");
  }

  /**
   * Of all tenants, the runs that should have been looked at before `now`, but not before `from` (milliseconds); the
   * most overdue first.
   */
  async overdueRuns(now: number, limit: number, from = 0): Promise<OverdueRun[]> {
    const query = {
      query:
        `SELECT TOP ${limit} c.kind, c.internal.tenant AS tenant, c.thread_id AS thread, c.id, c.internal.due AS due ` +
        "FROM c WHERE c.internal.due >= @from AND c.internal.due < @now ORDER BY c.internal.due",
      parameters: [
        { name: "@from", value: from },
        { name: "@now", value: now },
      ],
    };
    return queryThreads<OverdueRun>(this.#queryTools, query, limit);
  }

  /** Of all tenants, the threads whose purge was due before `now` (milliseconds); the most overdue first. */
  async overdueMarks(now: number, limit: number): Promise<OverdueMark[]> {
    const query = {
      query:
        `SELECT TOP ${limit} c.internal.tenant AS tenant, c.id, c.internal.sort AS sort FROM c ` +
        "WHERE c.internal.sort > @above AND c.internal.sort < @below ORDER BY c.internal.sort",
      parameters: [
        { name: "@above", value: deletedSort(0) },
        { name: "@below", value: deletedSort(now) },
      ],
    };
    return queryThreads<OverdueMark>(this.#queryTools, query, limit);
  }

  /**
   * Of all tenants, what in vector stores was due before `now`, but not before `from` (milliseconds); the most overdue
   * first.
   */
  async overdueInStores(now: number, limit: number, from = 0): Promise<OverdueInStore[]> {
    const query = {
      query:
        `SELECT TOP ${limit} c.kind, c.internal.tenant AS tenant, c.pk, c.id, c.internal.due AS due FROM c ` +
        "WHERE c.internal.due >= @from AND c.internal.due < @now ORDER BY c.internal.due",
      parameters: [
        { name: "@from", value: from },
        { name: "@now", value: now },
      ],
    };
    return queryStores<OverdueInStore>(this.#queryTools, query, limit);
  }

  /** Of all tenants, what in the catalogs was due before `now` (milliseconds); the most overdue first. */
  async overdueFiles(now: number, limit: number): Promise<OverdueFile[]> {
    const query = {
      query:
        `SELECT TOP ${limit} c.internal.tenant AS tenant, c.id, c.internal.due AS due FROM c ` +
        "WHERE c.internal.due < @now ORDER BY c.internal.due",
      parameters: [{ name: "@now", value: now }],
    };
    return queryCatalogs<OverdueFile>(this.#queryTools, query, limit);
  }
}
