import { badRequest } from "./errors.ts";
import { statisticsQuery, type TextQuery } from "./hybrid-plan.ts";
import type { SortField } from "./indexing.ts";
import { type Condition, conditionsOf } from "./query-plan.ts";
import { type Ranking, rankingOf } from "./ranking.ts";
import { children, type Expression, type Projection, pathOf } from "./sql/ast.ts";
import { parseQuery } from "./sql/parser.ts";
import type { Parameters, Row, Searchable } from "./sql/row.ts";
import { type CompiledSelect, compileSelect } from "./sql/select.ts";
import { isObject, type Json, type JsonObject, type Value } from "./sql/values.ts";

/** A query text, parsed, compiled and looked through for what an index can use. */
export interface PreparedQuery {
  compiled: CompiledSelect;
  conditions: Condition[];
  order: SortField[];
  /** Results come straight from the items, in their order, with no need to see all of them first. */
  streams: boolean;
  /** How many values the IN lists of the WHERE clause have. */
  listed: number;
  /** The order is that of a score, which is evaluated for every item. */
  ranking: Ranking | undefined;
  /** The query is the one for the statistics of a plan (hybrid-plan.ts). */
  statistics: TextQuery[] | undefined;
}

const prepared = new Map<string, PreparedQuery>();
const MAX_PREPARED = 1000;

/** Throws 400 for a query that is wrong or uses what is not supported. */
export function prepare(text: string): PreparedQuery {
  const known = prepared.get(text);
  if (known) return known;
  const query = analyse(text);
  if (prepared.size >= MAX_PREPARED) prepared.clear();
  prepared.set(text, query);
  return query;
}

function analyse(text: string): PreparedQuery {
  const parsed = parseQuery(text);
  const statistics = statisticsQuery(parsed);
  const select = statistics ? { ...parsed, projection: NOTHING } : parsed;
  const compiled = compileSelect(select);
  const root = compiled.rootAlias;
  const ranking = root === undefined ? undefined : rankingOf(select, root);
  const order = (ranking ? [] : (select.orderBy ?? [])).map(({ value, descending }) => {
    const path = root === undefined ? undefined : pathOf(value, root);
    if (!path || path.length === 0) {
      throw badRequest("Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.");
    }
    return { path, descending };
  });
  return {
    compiled,
    conditions: root === undefined ? [] : conditionsOf(select.where, root),
    order,
    listed: select.where ? listedValues(select.where) : 0,
    streams: root !== undefined && !compiled.aggregated && !select.distinct && !ranking,
    ranking,
    statistics,
  };
}

const NOTHING: Projection = { kind: "value", value: { kind: "constant", value: null } };

function listedValues(expression: Expression): number {
  const own = expression.kind === "in" ? expression.list.length : 0;
  return children(expression).reduce((sum, child) => sum + listedValues(child), own);
}

/** `[{ name: "@p", value }]` as a map; throws 400. */
export function parametersOf(list: Value): Parameters {
  const parameters = new Map<string, Json>();
  if (list === undefined || list === null) return parameters;
  if (!Array.isArray(list)) throw badRequest("The parameters of a query must be an array.");
  for (const parameter of list) {
    if (!isObject(parameter) || typeof parameter.name !== "string") throw badRequest("A query parameter needs a name.");
    if (parameter.value !== undefined) parameters.set(parameter.name, parameter.value);
  }
  return parameters;
}

export const rowOf = (body: JsonObject, parameters: Parameters, container?: Searchable): Row => ({
  slots: [body],
  parameters,
  container,
});

/** The condition of a patch, `from c where …`, as a test of an item. */
export function compileCondition(condition: string): (body: JsonObject) => boolean {
  const { compiled } = prepare(`SELECT VALUE 1 ${condition}`);
  return (body) => compiled.expand(rowOf(body, new Map())).length > 0;
}

/** A query over a handful of objects, such as the list of databases. */
export function queryObjects(objects: JsonObject[], text: string, parameters: Parameters): Json[] {
  const { compiled } = prepare(text);
  const rows = objects.flatMap((object) => compiled.expand(rowOf(object, parameters)));
  const { skip, take } = compiled.window(parameters);
  return compiled
    .results(rows, parameters)
    .slice(skip, skip + take)
    .map(({ value }) => value);
}
