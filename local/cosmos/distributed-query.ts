import { badRequest, unsupported } from "./errors.ts";
import { type HybridPlan, hybridPlan } from "./hybrid-plan.ts";
import { type PreparedQuery, prepare } from "./prepared-query.ts";
import { EVERYTHING } from "./ranges.ts";
import { isHighestFirst } from "./ranking.ts";
import type { Searching } from "./searching.ts";
import { AGGREGATES, type Expression, hasAggregate, type Select } from "./sql/ast.ts";
import { printExpression, printObject, printOrder, printProjection, printSources } from "./sql/print.ts";
import type { Parameters } from "./sql/row.ts";
import { columnNames } from "./sql/select.ts";

/**
 * The query plan: how a client runs a query over several physical partitions. The client sends `rewrittenQuery` to each
 * range and merges what comes back; the other fields tell it how. The shape is what @azure/cosmos and the .NET SDK
 * parse (`PartitionedQueryExecutionInfo`).
 */
export interface QueryPlan {
  partitionedQueryExecutionInfoVersion: 2;
  /** of all queries but those of ORDER BY RANK */
  queryInfo?: QueryInfo;
  hybridSearchQueryInfo?: HybridPlan;
  queryRanges: { min: string; max: string; isMinInclusive: boolean; isMaxInclusive: boolean }[];
}

interface QueryInfo {
  distinctType: "None" | "Ordered" | "Unordered";
  top: number | null;
  offset: number | null;
  limit: number | null;
  orderBy: ("Ascending" | "Descending")[];
  orderByExpressions: string[];
  groupByExpressions: string[];
  groupByAliases: string[];
  aggregates: string[];
  groupByAliasToAggregateType: Record<string, string | null>;
  rewrittenQuery: string;
  hasSelectValue: boolean;
  dCountInfo: null;
  hasNonStreamingOrderBy: boolean;
}

/** The client puts a condition in its place when it goes on from a continuation token, else `true`. */
const FILTER = "{documentdb-formattableorderbyquery-filter}";

/** Where the result of each aggregate function goes in a plan. */
const AGGREGATE_TYPES: Record<string, string> = {
  COUNT: "Count",
  SUM: "Sum",
  AVG: "Average",
  MIN: "Min",
  MAX: "Max",
};

/**
 * Plans a query. `key` is the effective partition key, where the query names one partition. Throws 400 for a query that
 * is wrong, and for combinations that have no plan.
 */
export function planOf(
  { text, parameters }: { text: string; parameters: Parameters },
  key: string | undefined,
  searching: Searching,
): QueryPlan {
  const query = prepare(text);
  const range = key === undefined ? EVERYTHING : { min: key, max: key };
  const queryRanges = [{ ...range, isMinInclusive: true, isMaxInclusive: key !== undefined }];
  const { select, rootAlias } = query.compiled;
  const { rank } = select;
  if (rank !== undefined && rootAlias !== undefined) {
    const payload = payloadOf(select, rootAlias);
    const window = { ...query.compiled.window(parameters), parameters };
    const hybridSearchQueryInfo = hybridPlan({ ...select, rank }, rootAlias, payload, window, searching);
    return { partitionedQueryExecutionInfoVersion: 2, hybridSearchQueryInfo, queryRanges };
  }
  const queryInfo = { ...PLAIN, ...windowOf(query, parameters), ...rewritten(query, parameters, searching) };
  return { partitionedQueryExecutionInfoVersion: 2, queryInfo, queryRanges };
}

/** Whether results of several ranges may simply follow each other: the gateway then serves the query without a plan. */
export function needsNoMerging({ compiled, order, ranking }: PreparedQuery): boolean {
  const { select, aggregated } = compiled;
  if (ranking || select.rank) return false;
  return !aggregated && !select.distinct && order.length === 0 && !select.top && !select.offset && !select.limit;
}

const PLAIN: QueryInfo = {
  distinctType: "None",
  top: null,
  offset: null,
  limit: null,
  orderBy: [],
  orderByExpressions: [],
  groupByExpressions: [],
  groupByAliases: [],
  aggregates: [],
  groupByAliasToAggregateType: {},
  rewrittenQuery: "",
  hasSelectValue: false,
  dCountInfo: null,
  hasNonStreamingOrderBy: false,
};

function windowOf({ compiled }: PreparedQuery, parameters: Parameters): Partial<QueryInfo> {
  const { skip, take } = compiled.window(parameters);
  if (compiled.select.top) return { top: take };
  return compiled.select.limit ? { offset: skip, limit: take } : {};
}

function rewritten(query: PreparedQuery, parameters: Parameters, searching: Searching): Partial<QueryInfo> {
  const { select, aggregated, rootAlias } = query.compiled;
  const hasSelectValue = select.projection.kind === "value";
  if (rootAlias === undefined) return { hasSelectValue };
  if (aggregated) return { hasSelectValue, ...aggregatedPlan(select) };
  const { ranking } = query;
  if (ranking && select.orderBy) {
    const plan = orderedPlan(query, select.orderBy, rootAlias, parameters);
    const direction = isHighestFirst(ranking, searching) ? "Descending" : "Ascending";
    return { hasSelectValue, ...plan, orderBy: [direction], hasNonStreamingOrderBy: true };
  }
  if (select.orderBy) return { hasSelectValue, ...orderedPlan(query, select.orderBy, rootAlias, parameters) };
  if (select.distinct) {
    const rewrittenQuery = join(`SELECT DISTINCT ${printProjection(select)}`, body(select));
    return { hasSelectValue, distinctType: "Unordered", rewrittenQuery };
  }
  const { head, tail } = perRangeWindow(query, parameters);
  return { hasSelectValue, rewrittenQuery: join(`SELECT ${head}${printProjection(select)}`, body(select), tail) };
}

const join = (...parts: string[]) => parts.filter((part) => part !== "").join("\n");

function body({ sources, where, groupBy }: Select): string {
  return join(
    printSources(sources),
    where ? `WHERE ${printExpression(where)}` : "",
    groupBy ? `GROUP BY ${groupBy.map(printExpression).join(", ")}` : "",
  );
}

/** No range needs to give more than all ranges together shall. */
function perRangeWindow({ compiled }: PreparedQuery, parameters: Parameters): { head: string; tail: string } {
  const { skip, take } = compiled.window(parameters);
  if (compiled.select.top) return { head: `TOP ${take} `, tail: "" };
  return { head: "", tail: compiled.select.limit ? `OFFSET 0 LIMIT ${skip + take}` : "" };
}

function orderedPlan(
  query: PreparedQuery,
  orderBy: NonNullable<Select["orderBy"]>,
  root: string,
  parameters: Parameters,
): Partial<QueryInfo> {
  const { select } = query.compiled;
  const expressions = orderBy.map(({ value }) => printExpression(value));
  const { head, tail } = select.distinct ? { head: "DISTINCT ", tail: "" } : perRangeWindow(query, parameters);
  // Equal results of different items must stay equal, so a DISTINCT query does not tell which item they came from.
  const rid = select.distinct ? "" : `${root}._rid, `;
  const payload = payloadOf(select, root);
  const where = select.where ? `(${printExpression(select.where)}) AND (${FILTER})` : `(${FILTER})`;
  const orderByItems = expressions.map((text) => `{"item": ${text}}`).join(", ");
  return {
    distinctType: !select.distinct
      ? "None"
      : expressions.length === 1 && expressions[0] === payload
        ? "Ordered"
        : "Unordered",
    orderBy: orderBy.map(({ descending }) => (descending ? "Descending" : "Ascending")),
    orderByExpressions: expressions,
    rewrittenQuery: join(
      `SELECT ${head}${rid}[${orderByItems}] AS orderByItems, ${payload} AS payload`,
      printSources(select.sources),
      `WHERE ${where}`,
      // VectorDistance takes neither ASC nor DESC.
      query.ranking ? `ORDER BY ${expressions.join("")}` : printOrder(orderBy),
      tail,
    ),
  };
}

/** The result itself as one expression. */
function payloadOf({ projection }: Select, root: string): string {
  if (projection.kind === "star") return root;
  if (projection.kind === "value") return printExpression(projection.value);
  const names = columnNames(projection.columns);
  return printObject(projection.columns.map(({ value }, i) => [names[i] ?? "", value]));
}

function aggregatedPlan(select: Select): Partial<QueryInfo> {
  const { projection, groupBy = [], distinct } = select;
  if (distinct) throw unsupported("DISTINCT together with an aggregate or GROUP BY over several physical partitions");
  const groupByExpressions = groupBy.map(printExpression);
  const items = groupByExpressions.map((text) => `{"item": ${text}}`).join(", ");
  const groups = groupBy.length > 0 ? `[${items}] AS groupByItems, ` : "";
  const rest = body(select);
  if (projection.kind === "star") throw badRequest("'SELECT *' is not allowed with GROUP BY.");
  if (projection.kind === "value") {
    const type = aggregateType(projection.value);
    const payload = type ? `[${partial(projection.value)}]` : printExpression(projection.value);
    const rewrittenQuery = groups
      ? join(`SELECT ${groups}${payload} AS payload`, rest)
      : join(`SELECT VALUE ${payload}`, rest);
    return { groupByExpressions, aggregates: type ? [type] : [], rewrittenQuery };
  }
  const names = columnNames(projection.columns);
  const types = projection.columns.map(({ value }) => aggregateType(value));
  const fields = projection.columns.map(
    ({ value }, i) => `${JSON.stringify(names[i])}: ${types[i] ? partial(value) : printExpression(value)}`,
  );
  return {
    groupByExpressions,
    groupByAliases: names,
    groupByAliasToAggregateType: Object.fromEntries(names.map((name, i) => [name, types[i] ?? null])),
    rewrittenQuery: join(`SELECT ${groups}{${fields.join(", ")}} AS payload`, rest),
  };
}

function aggregateType(value: Expression): string | undefined {
  if (value.kind === "call" && AGGREGATES.has(value.name)) return AGGREGATE_TYPES[value.name];
  if (hasAggregate(value)) throw unsupported("calculating with aggregates over several physical partitions");
  return undefined;
}

/** What one range tells of an aggregate, so that the client can put the parts together. */
function partial(value: Expression): string {
  if (value.kind !== "call") return printExpression(value);
  const argument = value.args.map(printExpression).join(", ");
  switch (value.name) {
    case "AVG":
      return `{"item": {"sum": SUM(${argument}), "count": COUNT(${argument})}}`;
    case "MIN":
    case "MAX": {
      const name = value.name.toLowerCase();
      const printed = printExpression(value);
      return `{"item": ${printed}, "item2": {"${name}": ${printed}, "count": COUNT(${argument})}}`;
    }
  }
  return `{"item": ${printExpression(value)}}`;
}
