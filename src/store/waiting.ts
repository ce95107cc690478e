/** Runs that wait too long for a worker, by tenant. */
import { type QueryTools, queryThreads } from "./cross-partition.ts";

/** How many of them are looked at from each end of the queue, to see whose they are. */
const SAMPLE = 500;

export interface Waiting {
  /** up to twice of what was asked for, and one */
  total: number;
  /** about so many of each tenant; only told if there are more than was asked for */
  byTenant: Map<string, number>;
}

interface Seen {
  kind: string;
  tenant: string;
}

export class WaitingRuns {
  readonly #tools: QueryTools;

  constructor(tools: QueryTools) {
    this.#tools = tools;
  }

  /**
   * How many runs a worker should have looked at before `now` (milliseconds). The query reads the index only. Whose
   * they are stands in the documents: if there are more than `enough`, a sample tells it, the oldest and the newest of
   * them.
   */
  async count(now: number, enough: number): Promise<Waiting> {
    const total = await this.#count(now, 2 * enough + 1);
    if (total <= enough) return { total, byTenant: new Map() };
    // A short queue is seen whole from one end; the two ends of a longer one do not meet.
    const isLong = total > 2 * SAMPLE;
    const oldest = await this.#seen("ASC", isLong ? SAMPLE : 2 * SAMPLE, now);
    const newest = isLong ? await this.#seen("DESC", SAMPLE, now) : [];
    return { total, byTenant: estimate([...oldest, ...newest], total) };
  }

  /** Without COUNT, which the SDK does not end where a partition answers with an empty page (cross-partition.ts). */
  async #count(now: number, limit: number): Promise<number> {
    const query = `SELECT TOP ${limit} VALUE 1 FROM c WHERE c.internal.due < @now`;
    return (await this.#query<number>(query, now, limit)).length;
  }

  #seen(order: "ASC" | "DESC", limit: number, now: number): Promise<Seen[]> {
    const query =
      `SELECT TOP ${limit} c.kind, c.internal.tenant AS tenant FROM c ` +
      `WHERE c.internal.due < @now ORDER BY c.internal.due ${order}`;
    return this.#query<Seen>(query, now, limit);
  }

  #query<T>(query: string, now: number, limit: number): Promise<T[]> {
    return queryThreads<T>(this.#tools, { query, parameters: [{ name: "@now", value: now }] }, limit);
  }
}

function estimate(sample: Seen[], total: number): Map<string, number> {
  const byTenant = new Map<string, number>();
  const each = total / sample.length;
  for (const { kind, tenant } of sample) {
    if (kind === "run") byTenant.set(tenant, (byTenant.get(tenant) ?? 0) + each);
  }
  return byTenant;
}
