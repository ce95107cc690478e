import type { Account } from "./account.ts";
import { runBulk, runTransactionalBatch } from "./batch.ts";
import { readChanges } from "./change-feed.ts";
import { queryCharge, readCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { badRequest } from "./errors.ts";
import { header, isTrue, pageSize, partitionKeyHeader } from "./headers.ts";
import { type PartitionKey, partitionKeyOf } from "./item.ts";
import { fullPartitionKey, type OperationName, type Outcome, perform } from "./items.ts";
import { answerQuery, answerQueryPlan, feedBody } from "./queries.ts";
import { type Answer, type CosmosRequest, jsonBody, operationOf } from "./request.ts";
import { targetInterval, targetRange } from "./routing.ts";
import type { Settings } from "./settings.ts";
import { isObject, type Value } from "./sql/values.ts";
import { Transaction } from "./transaction.ts";
import { readFactor, type View, viewFor } from "./views.ts";

/** Everything under …/docs: items, batches, queries and the change feed. */
export function answerDocuments(account: Account, container: Container, request: CosmosRequest): Answer {
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
      return answerQueryPlan(container, request);
    case "query":
      return answerQuery(account, container, request);
    case "batch":
    case "bulk":
      return answerBatch(account, container, request);
    case "change-feed":
      return answerChangeFeed(account, container, request);
  }
  throw badRequest(`The method ${request.method} is not allowed on items.`);
}

function answerItem(account: Account, container: Container, request: CosmosRequest, name: OperationName): Answer {
  const { headers, method } = request;
  const body = method === "POST" || method === "PUT" || method === "PATCH" ? jsonBody(request) : undefined;
  const key = partitionKeyHeader(headers) ?? (method === "POST" ? keyOfBody(container, body) : undefined);
  const full = fullPartitionKey(key, container.partitionPaths.length);
  const range = container.rangeOf(full);
  const view = name === "read" ? viewFor(container, account.settings, headers, range) : { container, range };
  const transaction = new Transaction(view.container, full);
  const outcome = perform(transaction, {
    name,
    ...(request.parts[5] !== undefined && { id: request.parts[5] }),
    body,
    ifMatch: header(headers, "if-match"),
    ifNoneMatch: header(headers, "if-none-match"),
  });
  if (name !== "read") account.commit(transaction);
  const minimal = name !== "read" && header(headers, "prefer") === "return=minimal";
  return itemAnswer(
    view,
    { ...outcome, charge: chargeOf(account.settings, name, outcome, readFactor(account.settings, headers)) },
    minimal,
  );
}

const keyOfBody = (container: Container, body: Value): PartitionKey | undefined =>
  isObject(body) ? partitionKeyOf(body, container.partitionPaths) : undefined;

function chargeOf({ notModified }: Settings, name: OperationName, outcome: Outcome, factor: number): number {
  if (name !== "read") return outcome.charge;
  const { status, item, charge } = outcome;
  return factor * (status === 304 && item && notModified === "document" ? readCharge(item.bytes) : charge);
}

function itemAnswer(session: View, { status, item, charge }: Outcome, minimal: boolean): Answer {
  return {
    status,
    charge,
    session,
    ...(item && { headers: { etag: item.etag } }),
    ...(item && status !== 304 && !minimal && { body: item.json }),
  };
}

function answerBatch(account: Account, container: Container, request: CosmosRequest): Answer {
  const { headers } = request;
  const key = partitionKeyHeader(headers);
  const minimal = header(headers, "prefer") === "return=minimal";
  const trouble = request.trouble?.inBatch;
  const rangeId = header(headers, "x-ms-documentdb-partitionkeyrangeid");
  const body = jsonBody(request);
  const commit = (transaction: Transaction) => account.commit(transaction);
  const { status, results, charge } = isTrue(headers, "x-ms-cosmos-batch-atomic")
    ? runTransactionalBatch(container, body, key, { commit, minimal, trouble })
    : runBulk(container, body, {
        commit,
        minimal,
        trouble,
        range: rangeId === undefined ? undefined : container.ranges.byId(rangeId),
        continueOnError: isTrue(headers, "x-ms-cosmos-batch-continue-on-error"),
      });
  const session = { container, range: targetRange(container, headers) };
  return { status, charge, session, body: JSON.stringify(results) };
}

function answerChangeFeed(account: Account, container: Container, request: CosmosRequest): Answer {
  const { headers } = request;
  const key = partitionKeyHeader(headers);
  const interval = targetInterval(container, headers);
  const view = viewFor(container, account.settings, headers, targetRange(container, headers));
  const page = readChanges(view.container, {
    mode: header(headers, "a-im") ?? "",
    key,
    interval,
    ifNoneMatch: header(headers, "if-none-match"),
    ifModifiedSince: header(headers, "if-modified-since"),
    pageSize: pageSize(headers),
  });
  const count = page.documents.length;
  return {
    status: count === 0 ? 304 : 200,
    charge: readFactor(account.settings, headers) * queryCharge({ examined: count, bytes: page.bytes }),
    session: view,
    headers: { etag: page.etag, "x-ms-item-count": String(count) },
    ...(count > 0 && { body: feedBody(view.container, page.documents) }),
  };
}
