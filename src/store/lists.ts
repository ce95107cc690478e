/** Lists of documents: what they ask for, and how much of it one page takes. */
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
  by?: "purpose_sort" | undefined;
  descending: boolean;
  limit: number;
  /** only objects of these runs */
  runIds?: string[] | undefined;
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
 * The first `limit` documents, and fewer if these have more bytes than a list may have: then the others are not even read.
 * One document is always taken.
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
