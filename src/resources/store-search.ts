/** Searching a vector store (docs/contract.md, "Search"). */
import { z } from "zod";
import type { AttributeFilter } from "./attributes.ts";

/** Queries of one search, and characters of one: what is longer than a passage finds no passage. */
const MAX_QUERIES = 10;
const MAX_QUERY = 10_000;

const MAX_RESULTS = 50;
const USUAL_RESULTS = 10;

const MAX_FILTERS = 50;
const MAX_VALUES = 100;
/** Levels of "and" and "or". */
const MAX_LEVELS = 5;
/** Of all comparisons together, which have at least one each: a query of Cosmos DB holds 262,144 characters. */
const MAX_ALL_VALUES = 500;

const key = z.string().min(1).max(64);
const value = z.union([z.string().max(512), z.number(), z.boolean()]);
const values = z.array(value).max(MAX_VALUES);

const ORDER = ["eq", "ne", "gt", "gte", "lt", "lte"] as const;

/** A comparison, or several filters of which all or one must hold. */
export const searchFilter: z.ZodType<AttributeFilter> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.enum(ORDER), key, value }),
    z.strictObject({ type: z.enum(["in", "nin"]), key, value: values }),
    z.strictObject({ type: z.enum(["and", "or"]), filters: z.array(searchFilter).min(1).max(MAX_FILTERS) }),
  ]),
) as z.ZodType<AttributeFilter>;

function levelsOf(filter: AttributeFilter): number {
  return "filters" in filter ? 1 + Math.max(...filter.filters.map(levelsOf)) : 0;
}

function valuesOf(filter: AttributeFilter): number {
  if ("filters" in filter) return filter.filters.reduce((sum, each) => sum + valuesOf(each), 0);
  return Array.isArray(filter.value) ? Math.max(filter.value.length, 1) : 1;
}

const boundedFilter = searchFilter.superRefine((filter, context) => {
  const refuse = (params: object) => context.addIssue({ code: "custom", params, input: filter });
  if (levelsOf(filter) > MAX_LEVELS) refuse({ kind: "too_many_levels", maximum: MAX_LEVELS });
  else if (valuesOf(filter) > MAX_ALL_VALUES) refuse({ kind: "too_many_values", maximum: MAX_ALL_VALUES });
});

const weight = z.number().min(0);

const rankingOptions = z.strictObject({
  ranker: z.enum(["none", "auto", "default-2024-11-15", "default_2024_08_21"]).optional(),
  score_threshold: z.number().min(0).max(1).optional(),
  hybrid_search: z
    .strictObject({ embedding_weight: weight, text_weight: weight })
    .refine((weights) => weights.embedding_weight + weights.text_weight > 0, { params: { kind: "no_weight" } })
    .nullable()
    .optional(),
});

const query = z.string().min(1).max(MAX_QUERY);

export const searchRequest = z.strictObject({
  query: z.union([query, z.array(query).min(1).max(MAX_QUERIES)]),
  rewrite_query: z.boolean().optional().describe("Taken, and without effect: the query is searched as it is"),
  max_num_results: z.int().min(1).max(MAX_RESULTS).default(USUAL_RESULTS),
  filters: boundedFilter.nullable().optional(),
  ranking_options: rankingOptions.nullable().optional(),
});

export const searchResultsObject = z.strictObject({
  object: z.literal("vector_store.search_results.page"),
  search_query: z.array(z.string()),
  data: z.array(
    z.strictObject({
      file_id: z.string(),
      filename: z.string(),
      score: z.number(),
      attributes: z.record(z.string(), value),
      content: z.array(z.strictObject({ type: z.literal("text"), text: z.string() })),
    }),
  ),
  has_more: z.boolean(),
  next_page: z.string().nullable(),
});
