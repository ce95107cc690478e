/**
 * Filters of a search as a condition of SQL. Values are parameters; keys cannot be, so they stand in the text, escaped
 * as JSON. Types must match: "1" is not 1. A file without the key is equal to nothing, and so unequal to everything
 * (docs/contract.md, "Search").
 */
import type { AttributeFilter, AttributeValue, ComparisonFilter } from "../resources/attributes.ts";
import type { Condition } from "../store/search.ts";

const COMPARISONS = { eq: "=", gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;

export function filterCondition(filter: AttributeFilter): Condition {
  const parameters: Condition["parameters"] = [];
  const parameter = (value: AttributeValue) => {
    const name = `@filter${parameters.length}`;
    parameters.push({ name, value });
    return name;
  };
  return { sql: sqlOf(filter, parameter), parameters };
}

type Parameter = (value: AttributeValue) => string;

function sqlOf(filter: AttributeFilter, parameter: Parameter): string {
  if (!("filters" in filter)) return comparison(filter, parameter);
  const isAnd = filter.type === "and";
  const parts = filter.filters.map((each) => sqlOf(each, parameter));
  // As for arrays in JavaScript: every one of none is true, some one of none is not.
  return parts.length === 0 ? String(isAnd) : `(${parts.join(isAnd ? " AND " : " OR ")})`;
}

function comparison(filter: ComparisonFilter, parameter: Parameter): string {
  const property = `c.attributes[${JSON.stringify(filter.key)}]`;
  switch (filter.type) {
    case "in":
      return oneOf(property, filter.value.map(parameter));
    case "nin":
      return not(oneOf(property, filter.value.map(parameter)));
    case "ne":
      return not(`${property} = ${parameter(filter.value)}`);
    default:
      return `${property} ${COMPARISONS[filter.type]} ${parameter(filter.value)}`;
  }
}

const oneOf = (property: string, values: string[]) =>
  values.length === 0 ? "false" : `${property} IN (${values.join(", ")})`;

/** A comparison with a missing property, or with a value of another type, is undefined: neither true nor false. */
const not = (sql: string) => `NOT ((${sql}) ?? false)`;
