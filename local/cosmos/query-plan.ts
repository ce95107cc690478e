import type { Container, Partition } from "./container.ts";
import type { SortField } from "./indexing.ts";
import { samePath } from "./indexing.ts";
import type { Item, PartitionKey } from "./item.ts";
import type { SortedIndex } from "./sorted-index.ts";
import { type Expression, pathOf } from "./sql/ast.ts";
import type { Parameters } from "./sql/row.ts";
import { compare, isPrimitive, type Path, typeRank, type Value, valueAt } from "./sql/values.ts";

/**
 * How a query gets at its items: a sorted index, the part of it that can hold results, and the direction to walk it.
 * The WHERE clause is still evaluated on every item, so the part only has to be large enough.
 */
export interface Access {
  index: SortedIndex;
  start: number;
  end: number;
  backwards: boolean;
}

/** A condition of the WHERE clause on one path that an index can use; the clause is an AND of these and others. */
export interface Condition {
  path: Path;
  operator: "=" | "<" | "<=" | ">" | ">=" | "defined";
  value: Expression;
}

/** Beyond three, one more equality hardly narrows and each combination is an index of its own. */
const MAX_EQUALITIES = 3;

/** The conditions that hold for every result. */
export function conditionsOf(where: Expression | undefined, root: string): Condition[] {
  if (!where) return [];
  if (where.kind === "binary" && where.operator === "AND") {
    return [...conditionsOf(where.left, root), ...conditionsOf(where.right, root)];
  }
  if (where.kind === "binary") return comparisonConditions(where, root);
  if (where.kind === "between") {
    const path = pathOf(where.value, root);
    if (!path || !isGiven(where.low) || !isGiven(where.high)) return [];
    return [
      { path, operator: ">=", value: where.low },
      { path, operator: "<=", value: where.high },
    ];
  }
  if (where.kind === "call" && where.name === "IS_DEFINED") {
    const path = where.args[0] && pathOf(where.args[0], root);
    return path ? [{ path, operator: "defined", value: { kind: "constant", value: undefined } }] : [];
  }
  return [];
}

const MIRRORED = { "=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" } as const;

function comparisonConditions(expression: Extract<Expression, { kind: "binary" }>, root: string): Condition[] {
  const { operator, left, right } = expression;
  if (operator !== "=" && operator !== "<" && operator !== "<=" && operator !== ">" && operator !== ">=") return [];
  const leftPath = pathOf(left, root);
  if (leftPath && isGiven(right)) return [{ path: leftPath, operator, value: right }];
  const rightPath = pathOf(right, root);
  if (rightPath && isGiven(left)) return [{ path: rightPath, operator: MIRRORED[operator], value: left }];
  return [];
}

const isGiven = ({ kind }: Expression) => kind === "constant" || kind === "parameter";

interface Bound {
  operator: Condition["operator"];
  value: Value;
}
interface KnownCondition extends Bound {
  path: Path;
}

export const givenValue = (expression: Expression, parameters: Parameters): Value =>
  expression.kind === "parameter"
    ? parameters.get(expression.name)
    : expression.kind === "constant"
      ? expression.value
      : undefined;

/** Chooses the index for a query over one partition or the whole container. */
export function chooseAccess(
  container: Container,
  partition: Partition | undefined,
  query: { conditions: Condition[]; order: readonly SortField[]; parameters: Parameters },
): Access {
  const conditions = usableConditions(container, query.conditions, query.parameters);
  const equalities = conditions
    .filter(({ operator, path }) => operator === "=" && !query.order.some((field) => samePath(field.path, path)))
    .slice(0, MAX_EQUALITIES);
  const rangePath = query.order[0]?.path ?? conditions.find(({ operator }) => operator !== "=")?.path;
  const bounds = rangePath ? conditions.filter(({ path }) => samePath(path, rangePath)) : [];
  const backwards = query.order[0]?.descending ?? false;
  const sorted = query.order.length > 0 ? query.order : rangePath ? [{ path: rangePath, descending: false }] : [];
  const fields: SortField[] = [
    ...equalities.map(({ path }) => ({ path, descending: false })),
    ...sorted.map(({ path, descending }) => ({ path, descending: descending !== backwards })),
  ];
  // An item without a path that is bounded cannot be a result, so it need not be in the index.
  const sparse = fields.length > 0 && sorted.length <= 1 && (sorted.length === 0 || bounds.length > 0);
  const index = partition ? container.partitionIndex(partition, fields) : container.index(fields, sparse);
  const { start, end } = bounded(index, equalities, rangePath, bounds);
  return { index, start, end, backwards };
}

function usableConditions(container: Container, conditions: Condition[], parameters: Parameters): KnownCondition[] {
  return conditions
    .filter(({ path }) => container.indexing.covers(path) && !isPartitionPath(container, path))
    .map(({ path, operator, value }) => ({ path, operator, value: givenValue(value, parameters) }))
    .filter(({ operator, value }) => operator === "defined" || isPrimitive(value));
}

const isPartitionPath = (container: Container, path: Path) =>
  container.partitionPaths.some((other) => samePath(other, path));

function bounded(index: SortedIndex, equalities: KnownCondition[], rangePath: Path | undefined, bounds: Bound[]) {
  const beforeEqualities = (item: Item) => compareTo(item, equalities);
  const before = (item: Item) => {
    const difference = beforeEqualities(item);
    if (difference !== 0 || !rangePath) return difference < 0;
    const value = valueAt(item.body, rangePath);
    return bounds.some((bound) => isBelow(value, bound));
  };
  const notAfter = (item: Item) => {
    const difference = beforeEqualities(item);
    if (difference !== 0 || !rangePath) return difference <= 0;
    const value = valueAt(item.body, rangePath);
    return !bounds.some((bound) => isAbove(value, bound));
  };
  const unbounded = equalities.length === 0 && bounds.length === 0;
  if (unbounded) return { start: 0, end: index.size };
  return { start: index.seek(before), end: index.seek(notAfter) };
}

function compareTo(item: Item, equalities: KnownCondition[]): number {
  for (const { path, value } of equalities) {
    const difference = compare(valueAt(item.body, path), value);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether a value sorts before everything that the bound allows. A comparison holds within one type only. */
function isBelow(value: Value, { operator, value: limit }: Bound): boolean {
  if (operator === "defined") return value === undefined;
  if (operator === "<" || operator === "<=") return typeRank(value) < typeRank(limit);
  const difference = compare(value, limit);
  return operator === ">" ? difference <= 0 : difference < 0;
}

/** Whether a value sorts after everything that the bound allows. */
function isAbove(value: Value, { operator, value: limit }: Bound): boolean {
  if (operator === "defined") return false;
  if (operator === ">" || operator === ">=") return typeRank(value) > typeRank(limit);
  const difference = compare(value, limit);
  return operator === "<" ? difference >= 0 : difference > 0;
}

/** The partition that the conditions name, when they give every part of the key. */
export function partitionFromConditions(
  container: Container,
  conditions: Condition[],
  parameters: Parameters,
): Value[] | undefined {
  const values: Value[] = [];
  for (const path of container.partitionPaths) {
    const condition = conditions.find((candidate) => candidate.operator === "=" && samePath(candidate.path, path));
    const value = condition && givenValue(condition.value, parameters);
    if (!isPrimitive(value)) return undefined;
    values.push(value);
  }
  return values;
}

export const hasPrefix = ({ values }: PartitionKey, prefix: Value[]) => prefix.every((value, i) => value === values[i]);
