/**
 * Request units, by formula. The real service does not publish its own; these are fitted to the figures that it does
 * publish (Azure Cosmos DB documentation, "Request units" and "Find the request unit charge"):
 *
 * - point read: 1 KB costs 1 RU, 100 KB costs 10 RU, linear between;
 * - insert: about 5 RU for 1 KB and 50 RU for 100 KB before indexing, plus 0.1 RU for each indexed leaf path (each
 *   array element is a leaf), so a small item under the default policy costs 5 to 6 RU and an excluded path costs
 *   nothing;
 * - delete: as its insert did;
 * - replace, and patch, which the service does as one: the delete of the old item and the insert of the new, about 10
 *   RU;
 * - batch: the sum of its operations;
 * - query and change feed: 2.3 RU, plus 0.03 RU for each item that was examined, plus 0.1 RU for each KB returned, plus
 *   0.03 RU for each value of an IN list, which is a look-up of its own. An item counts as examined when no index could
 *   rule it out, so a filter on an excluded path pays for the scan. A search among more than 300 items examines 300. A
 *   query over several physical partitions is one query in each of them;
 * - reads (all of point reads, queries and the change feed) at Strong or BoundedStaleness: twice as much, because two
 *   replicas answer. A request that asks for Session or less pays once ("Consistency levels and throughput");
 * - an item that expires: a delete. On a serverless account it is on the bill, on a provisioned one it uses what is
 *   left over ("Time to live"). It is counted as the operation `ttl-delete` and throttles no request;
 * - a conditional read that answers 304: 1 RU. The documentation does not say; the setting `notModified` makes it as
 *   dear as reading the document;
 * - an operation that fails (404, 409, 412): what it cost to look, 1 RU for a read and 1.24 RU for a write.
 *
 * Good for comparing designs with each other; a bill in Azure will differ.
 */

/** What a stored item costs to handle: its JSON in bytes and how many of its leaf paths are indexed. */
export interface Weight {
  bytes: number;
  indexedPaths: number;
}

/**
 * How many indexed paths the indexes of vectors and of full text are as dear as: a guess, since the service tells
 * nothing. A chunk with 256 dimensions and 3,200 characters pays some 10 RU for both.
 */
export const searchPaths = ({ numbers, characters }: { numbers: number; characters: number }) =>
  Math.round(numbers / 5 + characters / 60);

/**
 * How many items a search in so many looks at: an index of vectors or words finds the best without seeing all of them.
 */
export const searchedItems = (items: number) => Math.min(items, 300);

const kilobytes = (bytes: number) => Math.max(1, bytes / 1024);

const perKilobyte = (atOne: number, atHundred: number, bytes: number) =>
  atOne + ((kilobytes(bytes) - 1) * (atHundred - atOne)) / 99;

const INDEXED_PATH = 0.1;

export const readCharge = (bytes: number) => perKilobyte(1, 10, bytes);

/** A conditional read that answers 304 sends no item. */
export const notModifiedCharge = 1;

export const insertCharge = ({ bytes, indexedPaths }: Weight) =>
  perKilobyte(5, 50, bytes) + indexedPaths * INDEXED_PATH;

export const deleteCharge = insertCharge;

export const replaceCharge = (before: Weight, after: Weight) => deleteCharge(before) + insertCharge(after);

export const queryCharge = ({ examined, bytes, listed = 0 }: { examined: number; bytes: number; listed?: number }) =>
  2.3 + examined * 0.03 + (bytes / 1024) * 0.1 + listed * 0.03;

export const failedReadCharge = 1;
export const failedWriteCharge = 1.24;

/** Databases, containers and offers. */
export const metadataCharge = 1;
