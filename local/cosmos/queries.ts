import type { Account } from "./account.ts";
import { queryCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { decodeWalk, encodeWalk, type Walk } from "./continuation.ts";
import { needsNoMerging, planOf } from "./distributed-query.ts";
import { badRequest, needsQueryPlan } from "./errors.ts";
import { header, pageSize, partitionKeyHeader } from "./headers.ts";
import type { PartitionKey } from "./item.ts";
import { partitionKey } from "./item.ts";
import { type PreparedQuery, parametersOf, prepare } from "./prepared-query.ts";
import { runQuery } from "./query.ts";
import type { QueryPage, QueryRequest } from "./query-page.ts";
import { partitionFromConditions } from "./query-plan.ts";
import { EVERYTHING, type Interval } from "./ranges.ts";
import { type Answer, type CosmosRequest, jsonBody } from "./request.ts";
import { RANGE_ID, targetInterval } from "./routing.ts";
import type { Parameters } from "./sql/row.ts";
import { isObject } from "./sql/values.ts";
import { readFactor, type View, viewFor } from "./views.ts";

interface QuerySpec {
  text: string;
  parameters: Parameters;
}

export function querySpec(request: CosmosRequest): QuerySpec {
  const spec = jsonBody(request);
  if (!isObject(spec) || typeof spec.query !== "string") throw badRequest("The request needs a query.");
  return { text: spec.query, parameters: parametersOf(spec.parameters) };
}

/** What the SDK asks for beside every query without a partition key. A query that is wrong fails here already. */
export function answerQueryPlan(container: Container, request: CosmosRequest): Answer {
  const spec = querySpec(request);
  const key = namedPartition(container, spec);
  const plan = planOf(spec, key && container.effectiveKey(key), container.searching);
  return { status: 200, charge: 0, body: JSON.stringify(plan) };
}

/** The one partition that the conditions of a query name. */
function namedPartition(container: Container, { text, parameters }: QuerySpec): PartitionKey | undefined {
  const { conditions } = prepare(text);
  const values = partitionFromConditions(container, conditions, parameters);
  return values && partitionKey(values);
}

const EMPTY_PAGE: QueryPage = { documents: [], bytes: 0, examined: 0, listed: 0, continuation: undefined };

/** The continuation token of an injected empty page: this, then the token that the request came with. */
const AFTER_EMPTY = "e.";

const withoutMark = (token: string | undefined) => {
  const rest = token?.startsWith(AFTER_EMPTY) ? token.slice(AFTER_EMPTY.length) : token;
  return rest === "" ? undefined : rest;
};

export function answerQuery(account: Account, container: Container, request: CosmosRequest): Answer {
  const { headers, method } = request;
  const spec = method === "GET" ? { text: "SELECT * FROM c", parameters: new Map() } : querySpec(request);
  const token = header(headers, "x-ms-continuation");
  const { pages = {} } = request.trouble ?? {};
  const target = targetOf(account, container, request, spec);
  const view = viewFor(container, account.settings, headers, container.ranges.holding(target.at));
  const factor = readFactor(account.settings, headers);
  if (pages.empty && !token?.startsWith(AFTER_EMPTY)) {
    return feedAnswer(view, { ...EMPTY_PAGE, continuation: `${AFTER_EMPTY}${token ?? ""}` }, factor);
  }
  const size = Math.min(pageSize(headers), pages.short ?? Infinity);
  const query: QueryRequest = {
    ...spec,
    key: target.key,
    interval: target.interval,
    ranged: header(headers, RANGE_ID) !== undefined,
    pageSize: size,
    continuation: withoutMark(token),
    partial: pages.partial ?? false,
  };
  const page = target.walk ? walkRanges(view, query, target.walk) : runQuery(view.container, query);
  return feedAnswer(view, page, factor);
}

interface Target {
  /** An effective partition key in the physical partition that serves the request. */
  at: string;
  key: PartitionKey | undefined;
  interval: Interval | undefined;
  walk?: Walk;
}

/** Which part of the container a query is for. Throws 400/1004 with a plan when the client has to merge. */
function targetOf(account: Account, container: Container, request: CosmosRequest, spec: QuerySpec): Target {
  const key = partitionKeyHeader(request.headers);
  const interval = targetInterval(container, request.headers);
  if (interval) return { at: interval.min, key, interval };
  if (isPlanned(account, prepare(spec.text), key)) throw needsQueryPlan(planOfQuery(container, spec));
  if (container.ranges.size === 1) return { at: EVERYTHING.min, key, interval };
  const one = key ?? namedPartition(container, spec);
  // Not handed on: the conditions that name it are part of the query.
  if (one) return { at: container.effectiveKey(one), key, interval };
  const query = prepare(spec.text);
  if (query.compiled.rootSlot === undefined) return { at: EVERYTHING.min, key, interval };
  if (!needsNoMerging(query)) throw needsQueryPlan(planOfQuery(container, spec));
  const token = withoutMark(header(request.headers, "x-ms-continuation"));
  const walk = token === undefined ? firstStep(container) : decodeWalk(token);
  return { at: walk.min, key, interval, walk };
}

/**
 * Whether a search is only served with a plan, also where there is one physical partition. With a partition key, ORDER
 * BY RANK is served, and has no effect (https://github.com/Azure/azure-cosmos-dotnet-v3/issues/5332).
 */
function isPlanned(
  { settings }: Account,
  { compiled, ranking }: PreparedQuery,
  key: PartitionKey | undefined,
): boolean {
  if (compiled.select.rank) return key === undefined;
  return ranking !== undefined && settings.vectorQueries === "planned";
}

const planOfQuery = (container: Container, spec: QuerySpec) => planOf(spec, undefined, container.searching);

const firstStep = (container: Container): Walk => ({ ...boundsOf(container, EVERYTHING.min), inner: undefined });

function boundsOf(container: Container, at: string): Interval {
  const { min, max } = container.ranges.holding(at);
  return { min, max };
}

/**
 * One page of one physical partition; the token says where the next goes on. So a page ends where a physical partition
 * does, and has nothing in it when that has no results, as in the service.
 */
function walkRanges({ container }: View, query: QueryRequest, { min, max, inner }: Walk): QueryPage {
  const page = runQuery(container, { ...query, interval: { min, max }, continuation: inner });
  if (page.continuation !== undefined) {
    return { ...page, continuation: encodeWalk({ min, max, inner: page.continuation }) };
  }
  if (max === EVERYTHING.max) return page;
  const { max: next } = boundsOf(container, max);
  return { ...page, continuation: encodeWalk({ min: max, max: next, inner: undefined }) };
}

function feedAnswer(view: View, page: QueryPage, factor: number): Answer {
  return {
    status: 200,
    charge: factor * queryCharge(page),
    session: view,
    headers: {
      "x-ms-item-count": String(page.documents.length),
      ...(page.continuation !== undefined && { "x-ms-continuation": page.continuation }),
    },
    body: feedBody(view.container, page.documents),
  };
}

export const feedBody = ({ rid }: Container, documents: string[]) =>
  `{"_rid":"${rid}","Documents":[${documents.join(",")}],"_count":${documents.length}}`;
