/** The store as the rest of the app sees it: partitions by what they belong to. */
import type { Container } from "@azure/cosmos";
import { catalogKey, deletedSort, threadKey } from "./documents.ts";
import { type Freshness, Partition } from "./partition.ts";
import { TenantThreads } from "./tenant-threads.ts";

/** A run that is overdue, or a mark that an older build wrote; its id is the thread's. `due` in milliseconds since 1970. */
export type OverdueRun =
  | { kind: "run"; tenant: string; thread: string; id: string; due: number }
  | { kind: "deleted_thread"; tenant: string; id: string; due: number };

/** A mark of a deleted or half-written thread; the id is the thread's. */
export interface OverdueMark {
  tenant: string;
  id: string;
  sort: string;
}

export class Store {
  readonly #threads: Container;
  readonly #catalog: Container;
  readonly #freshness: Freshness;

  constructor(containers: { threads: Container; catalog: Container }, freshness: Freshness) {
    this.#threads = containers.threads;
    this.#catalog = containers.catalog;
    this.#freshness = freshness;
  }

  /** A thread with its messages, runs and steps. */
  thread(tenant: string, threadId: string): Partition {
    return new Partition(this.#threads, threadKey(tenant, threadId), this.#freshness);
  }

  /** The list of a tenant's threads. */
  threadsOf(tenant: string): TenantThreads {
    return new TenantThreads(this.#threads, tenant);
  }

  /** The assistants of a tenant. */
  catalog(tenant: string): Partition {
    return new Partition(this.#catalog, catalogKey(tenant), this.#freshness);
  }

  /** One cheap read: throws if the store does not answer. */
  async ping(): Promise<void> {
    await this.catalog("healthz").read("healthz");
  }

  /** Of all tenants, how many runs should have been looked at before `now` (milliseconds). */
  async countOverdue(now: number): Promise<number> {
    const query = {
      query: "SELECT VALUE COUNT(1) FROM c WHERE c.internal.due < @now",
      parameters: [{ name: "@now", value: now }],
    };
    const { resources } = await this.#threads.items.query<number>(query).fetchAll();
    // The gateway may answer with several counts, each of a part of the documents.
    return resources.reduce((sum, count) => sum + count, 0);
  }

  /** Of all tenants, the runs that should have been looked at before `now` (milliseconds); the most overdue first. */
  async overdueRuns(now: number, limit: number): Promise<OverdueRun[]> {
    const query = {
      query:
        `SELECT TOP ${limit} c.kind, c.internal.tenant AS tenant, c.thread_id AS thread, c.id, c.internal.due AS due FROM c ` +
        "WHERE c.internal.due < @now ORDER BY c.internal.due",
      parameters: [{ name: "@now", value: now }],
    };
    const { resources } = await this.#threads.items.query<OverdueRun>(query, { maxItemCount: limit }).fetchAll();
    return resources;
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
    const { resources } = await this.#threads.items.query<OverdueMark>(query, { maxItemCount: limit }).fetchAll();
    return resources;
  }
}
