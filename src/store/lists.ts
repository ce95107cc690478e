/** Lists of documents: what they ask for, and how much of it one page takes. */
import type { SqlQuerySpec } from "@azure/cosmos";
import { MAX_LIST_BYTES, sizeOf } from "../resources/limits.ts";
import type { Doc } from "./documents.ts";

/** A range of `internal.sort`, both ends excluded. */
export interface Range {
  above: string;
  below: string;
}

export interface ListOptions {
  /** of `internal.sort`, or of the field of `internal` that is named here */
  range: Range;
  by?: "purpose_sort" | "status_sort" | undefined;
  descending: boolean;
  limit: number;
  /** only objects of these runs */
  runIds?: string[] | undefined;
  /** only files of this batch */
  batchId?: string | undefined;
}

/** `hasMore`: whether there are documents after these. */
export interface Page<D> {
  docs: D[];
  hasMore: boolean;
}

/** What lists are made of. */
export interface Listable {
  read<D extends Doc>(id: string): Promise<D | undefined>;
  /** Up to `limit` documents, fewer where they are large. */
  page<D extends Doc>(options: ListOptions): Promise<Page<D>>;
}

/**
 * The first `limit` documents, and fewer if these have more bytes than a list may have: then the others are not even
 * read. One document is always taken.
 */
export async function takePage<D>(docs: AsyncIterable<D> | Iterable<D>, limit: number): Promise<Page<D>> {
  const taken: D[] = [];
  let bytes = 0;
  for await (const doc of docs) {
    bytes += sizeOf(doc);
    if (taken.length === limit || (bytes > MAX_LIST_BYTES && taken.length > 0)) return { docs: taken, hasMore: true };
    taken.push(doc);
  }
  return { docs: taken, hasMore: false };
}

/** The query of a list. */
export function listQuery({ range, by, descending, limit, runIds = [], batchId }: ListOptions): SqlQuerySpec {
  const field = `c.internal.${by ?? "sort"}`;
  const runs = runIds.map((value, index) => ({ name: `@run${index}`, value }));
  const ofRuns = runs.length === 0 ? "" : ` AND c.run_id IN (${runs.map(({ name }) => name).join(", ")})`;
  const batch = batchId === undefined ? [] : [{ name: "@batch", value: batchId }];
  const ofBatch = batch.length === 0 ? "" : " AND ARRAY_CONTAINS(c.internal.batches, @batch)";
  return {
    query:
      `SELECT TOP ${limit} * FROM c WHERE ${field} > @above AND ${field} < @below${ofRuns}${ofBatch}` +
      ` ORDER BY ${field} ${descending ? "DESC" : "ASC"}`,
    parameters: [{ name: "@above", value: range.above }, { name: "@below", value: range.below }, ...runs, ...batch],
  };
}
