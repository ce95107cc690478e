/** ORDER BY a score that each item is given, as vectors and full text are searched by. */
import { unsupported } from "./errors.ts";
import { calls, type Expression, pathOf, type Select } from "./sql/ast.ts";
import type { Searchable } from "./sql/row.ts";
import type { Path } from "./sql/values.ts";

/**
 * `distance`: of VectorDistance, whose order depends on the container's policy for `path`; `score`: the highest first.
 */
export type Ranking = { by: "distance"; path: Path | undefined } | { by: "score" };

/** What rewritten queries are sorted by. */
const SCORES = ["_FULLTEXTSCORE", "_VECTORSCORE"];

const searches = (expression: Expression) => [...SCORES, "VECTORDISTANCE"].some((name) => calls(expression, name));

/** Undefined for a query that is not sorted by a score. Throws 400 for what is not supported. */
export function rankingOf({ orderBy = [] }: Select, root: string): Ranking | undefined {
  const [first, ...more] = orderBy;
  if (first === undefined || !orderBy.some(({ value }) => searches(value))) return undefined;
  const { value, descending } = first;
  if (value.kind !== "call" || !searches({ ...value, args: [] }))
    throw unsupported("ORDER BY a calculation with VectorDistance");
  if (more.length > 0) throw unsupported("ORDER BY VectorDistance together with other expressions");
  if (SCORES.includes(value.name)) return { by: "score" };
  if (descending) throw unsupported("DESC with ORDER BY VectorDistance, which has the nearest first");
  const [vector] = value.args;
  return { by: "distance", path: vector && pathOf(vector, root) };
}

/** Whether the best are those with the highest value. */
export const isHighestFirst = (ranking: Ranking, container: Searchable) =>
  ranking.by === "score" || ranking.path === undefined || container.distanceFunction(ranking.path) !== "euclidean";
