/** What a model writes to search, and what it reads of the results. Pure. */
import { z } from "zod";
import type { FileSearchResult } from "../../resources/step.ts";
import { citationOf } from "../citations.ts";

/** Models of this family have a small context. Azure's names have no dot. */
export const isGpt35 = (model: string) => /^gpt-3\.?5/.test(model);

const MOST_QUERIES = 5;

/** Of one query. Characters. */
const LONGEST_QUERY = 2_000;

const text = z.string().trim().min(1);
/** What models write that do not keep to the schema is understood as well. */
const searchArguments = z.union([
  z.looseObject({ queries: z.array(z.string()).min(1) }).transform(({ queries }) => queries),
  z.looseObject({ queries: text }).transform(({ queries }) => [queries]),
  z.looseObject({ query: text }).transform(({ query }) => [query]),
]);

/** What to search for, each once; undefined if the arguments do not tell. */
export function queriesOf(written: string): string[] | undefined {
  const queries = searchArguments.safeParse(jsonOf(written)).data?.map((query) => query.trim()) ?? [];
  const useful = [...new Set(queries)].filter((query) => query !== "").slice(0, MOST_QUERIES);
  return useful.length === 0 ? undefined : useful.map((query) => query.slice(0, LONGEST_QUERY).toWellFormed());
}

function jsonOf(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return undefined;
  }
}

/** What the model reads in place of results. */
export const UNREADABLE = 'Nothing was searched: the arguments must be {"queries": ["…"]} with one to five texts.';

const NOTHING = "Nothing was found.";

/** The results of search number `n`, each under the marker that cites it. */
export function rendered(results: FileSearchResult[], n: number): string {
  if (results.length === 0) return NOTHING;
  const blocks = results.map(({ file_name: name, content = [] }, index) => {
    return `${citationOf(n, index, name)}\n${content.map((part) => part.text).join("\n")}`;
  });
  return `${blocks.join("\n\n")}\n\n${CITE}`;
}

const CITE = "Where the answer uses a result, put its exact marker, brackets and all, right behind what it supports.";
