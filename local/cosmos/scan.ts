/** Which items a query looks at, and how it gets at them. */
import type { Container, Partition } from "./container.ts";
import type { Continuation } from "./continuation.ts";
import { badRequest } from "./errors.ts";
import { type Item, type PartitionKey, partitionKey } from "./item.ts";
import type { PreparedQuery } from "./prepared-query.ts";
import { type Access, chooseAccess, givenValue, hasPrefix, partitionFromConditions } from "./query-plan.ts";
import { contains, type Interval } from "./ranges.ts";
import { SortedIndex } from "./sorted-index.ts";
import type { Parameters } from "./sql/row.ts";
import type { Value } from "./sql/values.ts";

/** The items that a query may see: one partition, those under the start of a hierarchical key, or all. */
export interface Scope {
  partition: Partition | undefined;
  prefix: Value[];
  empty: boolean;
  /** Whether the items of a partition are in the part of the container that the query is for. */
  covers: ((key: PartitionKey) => boolean) | undefined;
}

export interface Ways {
  access: Access | undefined;
  scope: Scope;
  after: Continuation | undefined;
}

export function scopeOf(
  container: Container,
  { conditions, compiled }: PreparedQuery,
  request: { key: PartitionKey | undefined; interval?: Interval | undefined; parameters: Parameters },
): Scope {
  const values = request.key?.values ?? partitionFromConditions(container, conditions, request.parameters) ?? [];
  const paths = container.partitionPaths.length;
  if (values.length > paths) throw badRequest("The partition key has more values than the container has paths.");
  const { interval } = request;
  const covers = interval ? (key: PartitionKey) => contains(interval, container.effectiveKey(key)) : undefined;
  if (compiled.rootSlot === undefined || values.length < paths) {
    return { partition: undefined, prefix: values, empty: false, covers };
  }
  const partition = container.partitions.get(partitionKey(values).text);
  return { partition, prefix: [], empty: !partition || covers?.(partition.key) === false, covers };
}

export function accessFor(container: Container, query: PreparedQuery, { partition }: Scope, parameters: Parameters) {
  const { conditions, order, streams } = query;
  const id = conditions.find(({ operator, path }) => operator === "=" && path.length === 1 && path[0] === "id");
  if (partition && id) return itemAccess(partition, givenValue(id.value, parameters));
  return chooseAccess(container, partition, { conditions, order: streams ? order : [], parameters });
}

/** A query for one id in one partition is as good as a point read. */
function itemAccess(partition: Partition, id: Value): Access {
  const item = typeof id === "string" ? partition.items.get(id) : undefined;
  const index = new SortedIndex([], false, item ? [item] : []);
  return { index, start: 0, end: index.size, backwards: false };
}

/** Yields each item of the access path that is in scope, from where the last page ended. */
export function* walk({ access, scope, after }: Ways): Generator<Item> {
  if (!access) return;
  let { start, end } = access;
  const { index, backwards } = access;
  if (after && typeof after.tie === "number") {
    const position = { values: after.values, sequence: after.tie };
    const sameItemAgain = after.rows > 0;
    const edge = index.seek((item) => {
      const difference = index.comparePosition(item, position);
      return difference < 0 || (difference === 0 && sameItemAgain === backwards);
    });
    if (backwards) end = Math.min(end, edge);
    else start = Math.max(start, edge);
  }
  for (let step = 0; step < end - start; step++) {
    const item = index.at(backwards ? end - 1 - step : start + step);
    if (!item || !hasPrefix(item.partition, scope.prefix)) continue;
    if (!scope.covers || scope.covers(item.partition)) yield item;
  }
}
