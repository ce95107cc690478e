import { compare, type Value } from "./values.ts";

/**
 * Folds the values of a group. Undefined values do not count; one value that is not a number makes SUM and AVG
 * undefined.
 */
export function aggregate(name: string, all: Value[]): Value {
  const values = all.filter((value) => value !== undefined);
  switch (name) {
    case "COUNT":
      return values.length;
    case "SUM":
      return sum(values);
    case "AVG": {
      const total = sum(values);
      return total === undefined || values.length === 0 ? undefined : total / values.length;
    }
    case "MIN":
      return extreme(values, -1);
    case "MAX":
      return extreme(values, 1);
  }
  return undefined;
}

function sum(values: Value[]): number | undefined {
  let total = 0;
  for (const value of values) {
    if (typeof value !== "number") return undefined;
    total += value;
  }
  return total;
}

function extreme(values: Value[], sign: 1 | -1): Value {
  let best: Value;
  for (const value of values) {
    if (best === undefined || compare(value, best) * sign > 0) best = value;
  }
  return best;
}
