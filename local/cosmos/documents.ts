import type { Account } from "./account.ts";
import { runBulk, runTransactionalBatch } from "./batch.ts";
import { readChanges } from "./change-feed.ts";
import { queryCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { badRequest, tooLarge } from "./errors.ts";
import { header, isTrue, pageSize, partitionKeyHeader } from "./headers.ts";
import { MAX_ITEM_BYTES, type PartitionKey, partitionKeyOf } from "./item.ts";
import { fullPartitionKey, type OperationName, type Outcome, perform } from "./items.ts";
import { parametersOf, prepare } from "./prepared-query.ts";
import { type QueryPage, runQuery } from "./query.ts";
import { type Answer, type CosmosRequest, jsonBody, operationOf } from "./request.ts";
import { isObject, type Value } from "./sql/values.ts";
import { Transaction } from "./transaction.ts";

/** Everything under …/docs: items, batches, queries and the change feed. */
export function answerDocuments(account: Account, container: Container, request: CosmosRequest): Answer {
  const { headers } = request;
  const key = partitionKeyHeader(headers);
  const operation = operationOf(request);
  switch (operation) {
    case "read":
    case "replace":
    case "patch":
    case "delete":
    case "create":
    case "upsert":
      return answerItem(account, container, request, operation);
    case "query-plan":
      return queryPlan(container, jsonBody(request));
    case "query":
      return answerQuery(container, request, key);
    case "batch":
    case "bulk":
      return answerBatch(account, container, request, key);
    case "change-feed":
      return answerChangeFeed(container, request, key);
  }
  throw badRequest(`The method ${request.method} is not allowed on items.`);
}

function answerItem(account: Account, container: Container, request: CosmosRequest, name: OperationName): Answer {
  const { headers, method } = request;
  const body = method === "POST" || method === "PUT" || method === "PATCH" ? jsonBody(request) : undefined;
  const key = partitionKeyHeader(headers) ?? (method === "POST" ? keyOfBody(container, body) : undefined);
  const transaction = new Transaction(container, fullPartitionKey(key, container.partitionPaths.length));
  const outcome = perform(transaction, {
    name,
    ...(request.parts[5] !== undefined && { id: request.parts[5] }),
    body,
    ifMatch: header(headers, "if-match"),
    ifNoneMatch: header(headers, "if-none-match"),
  });
  account.committed(container, transaction.commit());
  const minimal = name !== "read" && header(headers, "prefer") === "return=minimal";
  return itemAnswer(container, outcome, minimal);
}

const keyOfBody = (container: Container, body: Value): PartitionKey | undefined =>
  isObject(body) ? partitionKeyOf(body, container.partitionPaths) : undefined;

function itemAnswer(container: Container, { status, item, charge }: Outcome, minimal: boolean): Answer {
  return {
    status,
    charge,
    container,
    ...(item && { headers: { etag: item.etag } }),
    ...(item && status !== 304 && !minimal && { body: item.json }),
  };
}

function answerBatch(
  account: Account,
  container: Container,
  request: CosmosRequest,
  key: PartitionKey | undefined,
): Answer {
  const { headers } = request;
  if (Buffer.byteLength(request.body) > MAX_ITEM_BYTES) throw tooLarge("Request size is too large");
  const minimal = header(headers, "prefer") === "return=minimal";
  const body = jsonBody(request);
  const { status, results, charge, changes } = isTrue(headers, "x-ms-cosmos-batch-atomic")
    ? runTransactionalBatch(container, body, key, minimal)
    : runBulk(container, body, {
        minimal,
        continueOnError: isTrue(headers, "x-ms-cosmos-batch-continue-on-error"),
      });
  account.committed(container, changes);
  return { status, charge, container, body: JSON.stringify(results) };
}

function answerQuery(container: Container, request: CosmosRequest, key: PartitionKey | undefined): Answer {
  const { headers, method } = request;
  const { text, parameters } =
    method === "GET" ? { text: "SELECT * FROM c", parameters: new Map() } : querySpec(request);
  const page = runQuery(container, {
    text,
    parameters,
    key,
    pageSize: pageSize(headers),
    continuation: header(headers, "x-ms-continuation"),
  });
  return feedAnswer(container, page);
}

export function querySpec(request: CosmosRequest) {
  const spec = jsonBody(request);
  if (!isObject(spec) || typeof spec.query !== "string") throw badRequest("The request needs a query.");
  return { text: spec.query, parameters: parametersOf(spec.parameters) };
}

function feedAnswer(container: Container, page: QueryPage): Answer {
  return {
    status: 200,
    charge: queryCharge(page.examined, page.bytes),
    container,
    headers: {
      "x-ms-item-count": String(page.documents.length),
      ...(page.continuation !== undefined && { "x-ms-continuation": page.continuation }),
    },
    body: feedBody(container, page.documents),
  };
}

const feedBody = (container: Container, documents: string[]) =>
  `{"_rid":"${container.rid}","Documents":[${documents.join(",")}],"_count":${documents.length}}`;

function answerChangeFeed(container: Container, request: CosmosRequest, key: PartitionKey | undefined): Answer {
  const { headers } = request;
  const page = readChanges(container, {
    mode: header(headers, "a-im") ?? "",
    key,
    ifNoneMatch: header(headers, "if-none-match"),
    ifModifiedSince: header(headers, "if-modified-since"),
    pageSize: pageSize(headers),
  });
  const count = page.documents.length;
  return {
    status: count === 0 ? 304 : 200,
    charge: queryCharge(count, page.bytes),
    container,
    headers: { etag: page.etag, "x-ms-item-count": String(count) },
    ...(count > 0 && { body: feedBody(container, page.documents) }),
  };
}

/**
 * The SDK asks for a plan beside every query. There is one physical partition, so the plan is always the same: one range,
 * nothing to merge, send the query as it is. A query that is wrong fails here already, as in the service.
 */
function queryPlan(container: Container, spec: Value): Answer {
  if (!isObject(spec) || typeof spec.query !== "string") throw badRequest("The request needs a query.");
  prepare(spec.query);
  return { status: 200, charge: 0, container, body: PLAN };
}

const PLAN = JSON.stringify({
  partitionedQueryExecutionInfoVersion: 2,
  queryInfo: {
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
    hasNonStreamingOrderBy: false,
  },
  queryRanges: [{ min: "", max: "FF", isMinInclusive: true, isMaxInclusive: false }],
});
