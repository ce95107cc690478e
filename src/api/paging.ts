/** Lists: limit, order, and the cursors after and before (docs/contract.md 7). */
import { z } from "zod";
import { type List, listOf } from "../resources/common.ts";
import { cursorNotFound } from "../resources/errors.ts";
import { isPossibleId, seqOfId } from "../resources/ids.ts";
import { apiObject, type Doc, type ObjectDoc, seqOf } from "../store/documents.ts";
import type { Listable, ListOptions, Range } from "../store/lists.ts";
import { wholeRange } from "../store/ranges.ts";

/** Beyond it every limit is too large. Numbers that JavaScript cannot hold exactly would be refused in other words. */
const FAR_TOO_LARGE = 1_000_000;

/** Query values are texts; what looks like a number is one. */
export function numberIn(value: unknown): unknown {
  if (typeof value !== "string" || !/^-?\d+(\.\d+)?$/.test(value)) return value;
  return Math.max(-FAR_TOO_LARGE, Math.min(Number(value), FAR_TOO_LARGE));
}

/** How many objects a page has at the most. */
export const limitOf = (maximum: number, usual: number) =>
  z.preprocess(numberIn, z.int().min(1).max(maximum).default(usual));

export const pageQuery = z.object({
  limit: limitOf(100, 20),
  order: z.enum(["asc", "desc"]).default("desc").describe("By the time of creation"),
  after: z.string().optional().describe("Id of the object that the page follows"),
  before: z.string().optional().describe("Id of the object that the page ends before"),
});
export type PageQuery = z.output<typeof pageQuery>;

export interface Listing {
  partition: Listable;
  /** from a `seq` to the `internal.sort` of the objects listed */
  sort: (seq: string) => string;
  runId?: string | undefined;
  /**
   * for objects whose ids do not tell their places: from a `seq` to the `internal.sort` of the marks that keep the
   * places of those that are gone
   */
  marks?: ((seq: string) => string) | undefined;
  /** only files of this batch */
  batchId?: string | undefined;
  /** for a list in the order of another field of `internal`: its name, and what makes the objects' `internal.sort` */
  other?: { field: ListOptions["by"]; sort: (seq: string) => string } | undefined;
}

/**
 * One page, shorter where its objects are large. `before` gives the page that ends just before its object, in the order
 * asked for.
 */
export async function page<D extends ObjectDoc>(listing: Listing, query: PageQuery, now: number): Promise<List<D>> {
  const { partition, sort, runId, batchId, other } = listing;
  const descending = query.order === "desc";
  const backwards = query.after === undefined && query.before !== undefined;
  const range = await cursorRange(listing, query, now);
  const { docs, hasMore } = await partition.page<D>({
    range: range ?? wholeRange(sort),
    by: other?.field,
    descending: descending !== backwards,
    limit: query.limit,
    runIds: runId === undefined ? undefined : [runId],
    batchId,
  });
  if (backwards) docs.reverse();
  return listOf(docs.map(apiObject), hasMore) as unknown as List<D>;
}

async function cursorRange(listing: Listing, query: PageQuery, now: number): Promise<Range> {
  const range = { ...wholeRange(listing.sort) };
  const descending = query.order === "desc";
  if (query.after !== undefined) {
    range[descending ? "below" : "above"] = await place(listing, "after", query.after, now);
  }
  if (query.before !== undefined) {
    range[descending ? "above" : "below"] = await place(listing, "before", query.before, now);
  }
  return range;
}

/** What stands in the place of something deleted. */
const MARKS = new Set<Doc["kind"]>(["deleted_thread", "deleted_file", "deleted_vector_store", "upload"]);

/** Where a cursor stands. An object that was deleted while a client pages still has its place, if its id is ours. */
async function place(listing: Listing, name: "after" | "before", id: string, now: number): Promise<string> {
  if (!isPossibleId(id)) throw cursorNotFound(name, id);
  const doc = await listing.partition.read<Doc>(id);
  const sort = doc !== undefined && "sort" in doc.internal ? doc.internal.sort : "";
  const home = listing.other?.sort ?? listing.sort;
  const marks = listing.marks?.("") ?? home("");
  if (sort.startsWith(home("")) || (sort !== "" && sort.startsWith(marks))) return listing.sort(seqOf(sort));
  const isGone = doc === undefined || MARKS.has(doc.kind);
  const seq = isGone && listing.marks === undefined ? seqOfId(id, now) : undefined;
  if (seq === undefined) throw cursorNotFound(name, id);
  return listing.sort(seq);
}

/** A list within a parent: both are read at once, but that there is no such parent is told first. */
export async function existing<T>(parent: Promise<unknown>, list: Promise<T>): Promise<T> {
  list.catch(() => undefined);
  await parent;
  return list;
}
