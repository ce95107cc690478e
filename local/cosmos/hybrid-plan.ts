/**
 * The plan of ORDER BY RANK: the client asks every range for statistics, puts the sums into a query for each component, sends
 * these to every range and merges what comes back. The shape is the one that the SDKs parse (`hybridSearchQueryInfo`).
 */
import { badRequest } from "./errors.ts";
import { givenValue } from "./query-plan.ts";
import { type Expression, pathOf, type Select } from "./sql/ast.ts";
import { printExpression, printSources } from "./sql/print.ts";
import type { Parameters, Searchable } from "./sql/row.ts";
import type { Path, Value } from "./sql/values.ts";

type Call = Extract<Expression, { kind: "call" }>;

/** The full-text scores of a query ask for the statistics of these. */
export interface TextQuery {
  path: Path;
  terms: Expression[];
}

interface ComponentInfo {
  distinctType: "None";
  top: number;
  offset: null;
  limit: null;
  orderBy: ["Descending"];
  orderByExpressions: [string];
  groupByExpressions: [];
  groupByAliases: [];
  aggregates: [];
  groupByAliasToAggregateType: object;
  rewrittenQuery: string;
  hasSelectValue: boolean;
  dCountInfo: null;
  hasNonStreamingOrderBy: true;
}

export interface HybridPlan {
  globalStatisticsQuery: string;
  componentQueryInfos: ComponentInfo[];
  componentWithoutPayloadQueryInfos: [];
  projectionQueryInfo: null;
  componentWeights: number[];
  skip: number | null;
  take: number | null;
  requiresGlobalStatistics: boolean;
}

/** The client replaces these. */
const FILTER = "{documentdb-formattableorderbyquery-filter}";
const placeholder = (name: string) => `{documentdb-formattablehybridsearchquery-${name}}`;

/** So many results of each component are merged at the least. */
const LEAST_RESULTS = 120;

/** Without a score an item comes last. */
const NO_SCORE = { _FullTextScore: "-1", _VectorScore: "-1.79769e+308" };

interface Component {
  score: string;
  /** the score where every item must have one */
  always: string;
  text: TextQuery | undefined;
}

export function hybridPlan(
  select: Select & { rank: Expression },
  root: string,
  payload: string,
  { skip, take, parameters }: { skip: number; take: number; parameters: Parameters },
  searching: Searchable,
): HybridPlan {
  if (!Number.isFinite(take)) throw badRequest("ORDER BY RANK needs TOP, or OFFSET and LIMIT.");
  const { calls, weights } = componentsOf(select.rank, parameters);
  const components = calls.map((call, index) => componentOf(call, index, root));
  const texts = components.flatMap(({ text }) => text ?? []);
  for (const { path } of texts) searching.fullText(path);
  const top = Math.max(LEAST_RESULTS, 2 * (skip + take));
  const scores = components.map(({ always }) => always).join(", ");
  return {
    globalStatisticsQuery: statisticsText(texts, root, select),
    componentQueryInfos: components.map(({ score }) => ({
      ...PLAIN,
      top,
      orderByExpressions: [score],
      rewrittenQuery: [
        `SELECT TOP ${top} ${root}._rid, [{"item": ${score}}] AS orderByItems, ` +
          `{"payload": ${payload}, "componentScores": [${scores}]} AS payload`,
        printSources(select.sources),
        select.where ? `WHERE (${printExpression(select.where)}) AND (${FILTER})` : `WHERE (${FILTER})`,
        `ORDER BY ${score} DESC`,
      ].join("\n"),
    })),
    componentWithoutPayloadQueryInfos: [],
    projectionQueryInfo: null,
    componentWeights: weights,
    skip: select.offset ? skip : null,
    take,
    requiresGlobalStatistics: texts.length > 0,
  };
}

const PLAIN: Omit<ComponentInfo, "top" | "orderByExpressions" | "rewrittenQuery"> = {
  distinctType: "None",
  offset: null,
  limit: null,
  orderBy: ["Descending"],
  groupByExpressions: [],
  groupByAliases: [],
  aggregates: [],
  groupByAliasToAggregateType: {},
  hasSelectValue: false,
  dCountInfo: null,
  hasNonStreamingOrderBy: true,
};

/** `RRF(score, …, [weight, …])` or one score. */
function componentsOf(rank: Expression, parameters: Parameters): { calls: Call[]; weights: number[] } {
  if (rank.kind === "call" && rank.name !== "RRF") return { calls: [rank], weights: [] };
  const args = rank.kind === "call" ? rank.args : [];
  const calls = args.filter((arg): arg is Call => arg.kind === "call");
  const weights = weightsOf(args[calls.length], parameters);
  const rest = args.length - calls.length;
  const isWeighted = weights !== undefined && weights.length === calls.length;
  if (calls.length < 2 || rest > 1 || (rest === 1 && !isWeighted)) {
    throw badRequest("RRF takes two or more scores, and then perhaps an array with the weight of each.");
  }
  return { calls, weights: weights ?? [] };
}

function weightsOf(expression: Expression | undefined, parameters: Parameters): number[] | undefined {
  if (expression === undefined) return undefined;
  const values: Value =
    expression.kind === "array"
      ? expression.items.flatMap((item) => givenValue(item, parameters) ?? [])
      : givenValue(expression, parameters);
  const isNumber = (value: unknown) => typeof value === "number";
  return Array.isArray(values) && values.every(isNumber) ? values : undefined;
}

function componentOf({ name, args }: Call, index: number, root: string): Component {
  const [property, ...more] = args;
  const path = property && pathOf(property, root);
  if (property === undefined || path === undefined || path.length === 0 || more.length === 0) {
    throw badRequest(`The ${name} function needs a property of the item, and what to look for.`);
  }
  if (name === "VECTORDISTANCE") return component("_VectorScore", args.slice(0, 2).map(printExpression), undefined);
  if (name !== "FULLTEXTSCORE") {
    throw badRequest(
      "The ORDER BY RANK clause must be followed by a VectorDistance and/or a FullTextScore function call.",
    );
  }
  const printed = [
    printExpression(property),
    `[${more.map(printExpression).join(", ")}]`,
    placeholder("totaldocumentcount"),
    placeholder(`totalwordcount-${index}`),
    placeholder(`hitcountsarray-${index}`),
  ];
  return component("_FullTextScore", printed, { path, terms: more });
}

function component(name: keyof typeof NO_SCORE, args: string[], text: TextQuery | undefined): Component {
  const score = `${name}(${args.join(", ")})`;
  return { score, always: `(${score} ?? ${NO_SCORE[name]})`, text };
}

const property = (path: Path, root: string) => path.reduce((text, name) => `${text}[${JSON.stringify(name)}]`, root);

function statisticsText(texts: TextQuery[], root: string, { sources }: Select): string {
  const statistics = texts.map(({ path, terms }) => {
    const text = property(path, root);
    const hits = terms.map((term) => `COUNTIF(FullTextContains(${text}, ${printExpression(term)}))`);
    return `{"totalWordCount": SUM(_FullTextWordCount(${text})), "hitCounts": [${hits.join(", ")}]}`;
  });
  return `SELECT COUNT(1) AS documentCount, [${statistics.join(", ")}] AS fullTextStatistics\n${printSources(sources)}`;
}

/** What such a query asks for; undefined for any other query. */
export function statisticsQuery({ projection, sources }: Select): TextQuery[] | undefined {
  const root = sources[0]?.from.kind === "identifier" ? (sources[0].alias ?? sources[0].from.name) : undefined;
  const list = projection.kind === "list" ? projection.columns[1] : undefined;
  if (root === undefined || list?.alias !== "fullTextStatistics" || list.value.kind !== "array") return undefined;
  return list.value.items.map((item) => {
    const [words, hits] = item.kind === "object" ? item.fields.map(([, value]) => value) : [];
    const text = argument(argument(words));
    const path = text && pathOf(text, root);
    if (path === undefined || hits?.kind !== "array") throw badRequest("The statistics are not those of a plan.");
    const terms = hits.items.flatMap((count) => argument(argument(count), 1) ?? []);
    return { path, terms };
  });
}

const argument = (call: Expression | undefined, index = 0): Expression | undefined =>
  call?.kind === "call" ? call.args[index] : undefined;
