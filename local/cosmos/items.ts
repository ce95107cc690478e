import * as charge from "./charge.ts";
import { alreadyExists, badRequest, CosmosError, itemNotFound, preconditionFailed } from "./errors.ts";
import { checkedBody, type Item, type PartitionKey, partitionKeyOf } from "./item.ts";
import { checkKey } from "./limits.ts";
import { applyPatch, checkKeyUntouched, parsePatch } from "./patch.ts";
import { compileCondition } from "./prepared-query.ts";
import type { JsonObject, Value } from "./sql/values.ts";
import type { Transaction } from "./transaction.ts";

/** The six things that can be done to one item, alone or as part of a batch. */
export type OperationName = "create" | "upsert" | "replace" | "read" | "delete" | "patch";

export interface Operation {
  name: OperationName;
  /** Absent for create and upsert, which find it in the body. */
  id?: string;
  body?: Value;
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

export interface Outcome {
  status: number;
  item: Item | undefined;
  charge: number;
}

/** Does one operation inside a transaction. Throws what the client gets when it cannot be done. */
export function perform(transaction: Transaction, operation: Operation): Outcome {
  const { name, ifNoneMatch } = operation;
  if (
    ifNoneMatch !== undefined &&
    name !== "read" &&
    !(ifNoneMatch === "*" && (name === "upsert" || name === "create"))
  ) {
    throw badRequest(`If-None-Match is not supported with ${name}.`);
  }
  switch (name) {
    case "create":
      return create(transaction, operation);
    case "upsert":
      return upsert(transaction, operation);
    case "replace":
      return replace(transaction, operation);
    case "read":
      return read(transaction, operation);
    case "delete":
      return remove(transaction, operation);
    case "patch":
      return patch(transaction, operation);
  }
}

/** What a failed operation costs. */
export const failureCharge = (name: OperationName) =>
  name === "read" ? charge.failedReadCharge : charge.failedWriteCharge;

function create(transaction: Transaction, { body }: Operation): Outcome {
  const checked = bodyForPartition(transaction, body);
  if (transaction.get(checked.id)) throw alreadyExists();
  const item = transaction.put(checked);
  return { status: 201, item, charge: charge.insertCharge(item) };
}

function upsert(transaction: Transaction, { body, ifMatch, ifNoneMatch }: Operation): Outcome {
  const checked = bodyForPartition(transaction, body);
  const before = transaction.get(checked.id);
  if (before && ifNoneMatch === "*") throw alreadyExists();
  if (before) checkMatch(before, ifMatch);
  const item = transaction.put(checked);
  if (!before) return { status: 201, item, charge: charge.insertCharge(item) };
  return { status: 200, item, charge: charge.replaceCharge(before, item) };
}

function replace(transaction: Transaction, operation: Operation): Outcome {
  const before = existing(transaction, operation);
  checkMatch(before, operation.ifMatch);
  const checked = bodyForPartition(transaction, operation.body);
  if (checked.id !== before.id) throw badRequest("The id of the item and the id in its body do not match.");
  const item = transaction.put(checked);
  return { status: 200, item, charge: charge.replaceCharge(before, item) };
}

function read(transaction: Transaction, operation: Operation): Outcome {
  const item = existing(transaction, operation);
  const { ifNoneMatch } = operation;
  if (ifNoneMatch === "*" || ifNoneMatch === item.etag) return { status: 304, item, charge: charge.notModifiedCharge };
  return { status: 200, item, charge: charge.readCharge(item.bytes) };
}

function remove(transaction: Transaction, operation: Operation): Outcome {
  const item = existing(transaction, operation);
  checkMatch(item, operation.ifMatch);
  transaction.delete(item);
  return { status: 204, item: undefined, charge: charge.deleteCharge(item) };
}

function patch(transaction: Transaction, operation: Operation): Outcome {
  const before = existing(transaction, operation);
  checkMatch(before, operation.ifMatch);
  const { operations, condition } = parsePatch(operation.body);
  if (condition !== undefined && !compileCondition(condition)(before.body)) throw preconditionFailed();
  const document: JsonObject = JSON.parse(before.json);
  checkKeyUntouched(operations, transaction.container.partitionPaths);
  applyPatch(document, operations);
  const item = transaction.put(bodyForPartition(transaction, document));
  return { status: 200, item, charge: charge.replaceCharge(before, item) };
}

function existing(transaction: Transaction, { id }: Operation): Item {
  const item = id === undefined ? undefined : transaction.get(id);
  if (!item) throw itemNotFound();
  return item;
}

function checkMatch(item: Item, ifMatch: string | undefined): void {
  if (ifMatch !== undefined && ifMatch !== "*" && ifMatch !== item.etag) throw preconditionFailed();
}

function bodyForPartition({ container, key }: Transaction, body: Value): JsonObject & { id: string } {
  const checked = checkedBody(body);
  if (partitionKeyOf(checked, container.partitionPaths).text !== key.text) throw partitionKeyMismatch();
  return checked;
}

export const partitionKeyMismatch = () =>
  new CosmosError(
    400,
    "BadRequest",
    "PartitionKey extracted from document doesn't match the one specified in the header",
    { substatus: 1001 },
  );

/** A partition key that names one partition; throws 400 when it is only the start of a hierarchical one. */
export function fullPartitionKey(key: PartitionKey | undefined, paths: number): PartitionKey {
  if (!key) throw badRequest("PartitionKey value must be supplied for this operation.");
  checkKey(key);
  if (key.values.length === paths) return key;
  throw new CosmosError(
    400,
    "BadRequest",
    "Partition key provided either doesn't correspond to definition in the collection or doesn't match partition key " +
      "field values specified in the document.",
    { substatus: 1001 },
  );
}
