import type { Container } from "./container.ts";
import { badRequest, CosmosError, rangeGone } from "./errors.ts";
import { parsePartitionKey } from "./headers.ts";
import { type PartitionKey, partitionKeyOf } from "./item.ts";
import { failureCharge, fullPartitionKey, type Operation, type OperationName, type Outcome, perform } from "./items.ts";
import { MAX_BATCH_OPERATIONS } from "./limits.ts";
import type { Range } from "./ranges.ts";
import type { Trouble } from "./request.ts";
import { isObject, type JsonObject, type Value } from "./sql/values.ts";
import { Transaction } from "./transaction.ts";

export interface BatchResult {
  status: number;
  results: OperationResult[];
  charge: number;
}

interface OperationResult {
  statusCode: number;
  requestCharge: number;
  subStatusCode?: number;
  eTag?: string;
  resourceBody?: JsonObject;
  message?: string;
  retryAfterMilliseconds?: number;
}

interface BatchOptions {
  /** Writes what a transaction staged, and makes it visible. Throws if it cannot be written. */
  commit: (transaction: Transaction) => void;
  /** Leaves the documents out of the answer. */
  minimal: boolean;
  /** An injected failure of one operation. */
  trouble: Trouble["inBatch"] | undefined;
}

interface BulkOptions extends BatchOptions {
  continueOnError: boolean;
  /** The physical partition that the request was sent to, if it says so. */
  range: Range | undefined;
}

interface BatchOperation extends Operation {
  partitionKey: PartitionKey | undefined;
}

const FAILED_DEPENDENCY: OperationResult = { statusCode: 424, requestCharge: 0 };
const NAMES: Record<string, OperationName> = {
  Create: "create",
  Upsert: "upsert",
  Replace: "replace",
  Read: "read",
  Delete: "delete",
  Patch: "patch",
};

/** All operations or none, in one partition. On a failure the others answer 424 and nothing has happened. */
export function runTransactionalBatch(
  container: Container,
  body: Value,
  key: PartitionKey | undefined,
  { commit, minimal, trouble }: BatchOptions,
): BatchResult {
  const operations = parseOperations(body);
  const partition = fullPartitionKey(key, container.partitionPaths.length);
  const transaction = new Transaction(container, partition);
  const results: OperationResult[] = [];
  let charge = 0;
  for (const [i, operation] of operations.entries()) {
    if (operation.partitionKey && operation.partitionKey.text !== partition.text) {
      throw badRequest("All operations of a transactional batch must have the same partition key.");
    }
    const injected = isStruck(trouble, i, operations.length) ? trouble?.error : undefined;
    const result = injected ? failed(injected, operation) : attempt(transaction, operation, minimal);
    charge += result.requestCharge;
    if (result.statusCode >= 400) {
      const others = operations.map(() => FAILED_DEPENDENCY);
      return { status: 207, results: others.with(i, result), charge };
    }
    results.push(result);
  }
  commit(transaction);
  return { status: 200, results, charge };
}

/** The client sends a bulk request to the range that holds its keys: 410/1002 when it took the wrong one. */
function checkRange(container: Container, operations: BatchOperation[], range: Range | undefined): void {
  if (!range || container.ranges.size === 1) return;
  for (const operation of operations) {
    const key = bulkPartitionKey(container, operation);
    if (key && container.rangeOf(key).id !== range.id) throw rangeGone(range.id);
  }
}

/** Each operation for itself; after a failure the rest is skipped unless the client wants to go on. */
export function runBulk(
  container: Container,
  body: Value,
  { commit, minimal, continueOnError, trouble, range }: BulkOptions,
): BatchResult {
  const results: OperationResult[] = [];
  let anyFailed = false;
  const operations = parseOperations(body);
  checkRange(container, operations, range);
  for (const [i, operation] of operations.entries()) {
    if (anyFailed && !continueOnError) {
      results.push(FAILED_DEPENDENCY);
      continue;
    }
    const key = fullPartitionKey(bulkPartitionKey(container, operation), container.partitionPaths.length);
    const transaction = new Transaction(container, key);
    const injected = isStruck(trouble, i, operations.length) ? trouble?.error : undefined;
    const result = injected ? failed(injected, operation) : attempt(transaction, operation, minimal, commit);
    if (result.statusCode >= 400) anyFailed = true;
    results.push(result);
  }
  const charge = results.reduce((sum, result) => sum + result.requestCharge, 0);
  return { status: anyFailed ? 207 : 200, results, charge };
}

function bulkPartitionKey(container: Container, { partitionKey, body, name }: BatchOperation) {
  if (partitionKey) return partitionKey;
  const carriesItem = name === "create" || name === "upsert" || name === "replace";
  return carriesItem && isObject(body) ? partitionKeyOf(body, container.partitionPaths) : undefined;
}

/** Does one operation and, if it stands for itself, commits it. */
function attempt(
  transaction: Transaction,
  operation: Operation,
  minimal: boolean,
  commit?: BatchOptions["commit"],
): OperationResult {
  try {
    const outcome = perform(transaction, operation);
    commit?.(transaction);
    return succeeded(outcome, minimal && operation.name !== "read");
  } catch (error) {
    if (!(error instanceof CosmosError)) throw error;
    return failed(error, operation);
  }
}

const failed = ({ status, substatus, retryAfterMs, message }: CosmosError, { name }: Operation): OperationResult => ({
  statusCode: status,
  requestCharge: failureCharge(name),
  ...(substatus !== undefined && { subStatusCode: substatus }),
  ...(retryAfterMs !== undefined && { retryAfterMilliseconds: retryAfterMs }),
  message,
});

const isStruck = (trouble: Trouble["inBatch"] | undefined, i: number, count: number) =>
  trouble !== undefined && i === Math.min(trouble.index ?? count - 1, count - 1);

function succeeded({ status, item, charge }: Outcome, minimal: boolean): OperationResult {
  return {
    statusCode: status,
    requestCharge: charge,
    ...(item && { eTag: item.etag }),
    ...(item && !minimal && status !== 304 && { resourceBody: item.body }),
  };
}

function parseOperations(body: Value): BatchOperation[] {
  if (!Array.isArray(body) || body.length === 0) throw badRequest("A batch must be an array of operations.");
  if (body.length > MAX_BATCH_OPERATIONS) {
    throw badRequest("Batch request has more operations than what is supported.");
  }
  return body.map((operation) => {
    if (!isObject(operation)) throw badRequest("Every operation of a batch must be an object.");
    const { operationType, id, resourceBody, ifMatch, ifNoneMatch, partitionKey } = operation;
    const name = typeof operationType === "string" ? NAMES[operationType] : undefined;
    if (!name) throw badRequest(`The batch operation '${operationType}' is not known.`);
    return {
      name,
      ...(typeof id === "string" && { id }),
      body: resourceBody,
      ifMatch: text(ifMatch),
      ifNoneMatch: text(ifNoneMatch),
      partitionKey: typeof partitionKey === "string" ? parsePartitionKey(partitionKey) : undefined,
    };
  });
}

const text = (value: Value) => (typeof value === "string" ? value : undefined);
