import type { Expression, Select, Source } from "./ast.ts";

/** Writes an expression back as text that the parser reads as the same expression. */
export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case "constant":
      return expression.value === undefined ? "undefined" : JSON.stringify(expression.value);
    case "parameter":
    case "identifier":
      return expression.name;
    case "member":
      return `${printExpression(expression.object)}${printProperty(expression.property)}`;
    case "unary":
      return `(${expression.operator} ${printExpression(expression.operand)})`;
    case "binary":
      return `(${printExpression(expression.left)} ${expression.operator} ${printExpression(expression.right)})`;
    case "conditional": {
      const [test, yes, no] = [expression.test, expression.yes, expression.no].map(printExpression);
      return `(${test} ? ${yes} : ${no})`;
    }
    case "in":
      return `(${printExpression(expression.value)} IN (${printList(expression.list)}))`;
    case "between": {
      const [value, low, high] = [expression.value, expression.low, expression.high].map(printExpression);
      return `(${value} BETWEEN ${low} AND ${high})`;
    }
    case "like": {
      const escapeWith = expression.escape ? ` ESCAPE ${printExpression(expression.escape)}` : "";
      return `(${printExpression(expression.value)} LIKE ${printExpression(expression.pattern)}${escapeWith})`;
    }
    case "array":
      return `[${printList(expression.items)}]`;
    case "object":
      return printObject(expression.fields);
    case "call":
      return `${expression.name}(${printList(expression.args)})`;
    case "subquery": {
      const form = { exists: "EXISTS", array: "ARRAY", scalar: "" }[expression.form];
      return `${form}(${printSelect(expression.select)})`;
    }
  }
}

const printList = (list: Expression[]) => list.map(printExpression).join(", ");

export const printObject = (fields: [name: string, value: Expression][]) =>
  `{${fields.map(([name, value]) => `${JSON.stringify(name)}: ${printExpression(value)}`).join(", ")}}`;

/** Every name in brackets, because any text may be a property name. */
const printProperty = (property: Expression) => `[${printExpression(property)}]`;

export function printSource({ iterate, alias, from }: Source): string {
  const text = from.kind === "select" ? `(${printSelect(from)})` : printExpression(from);
  if (iterate) return `${alias} IN ${text}`;
  return alias === undefined ? text : `${text} AS ${alias}`;
}

export function printSources(sources: Source[]): string {
  return sources.length === 0 ? "" : `FROM ${sources.map(printSource).join(" JOIN ")}`;
}

export function printOrder(orderBy: NonNullable<Select["orderBy"]>): string {
  const items = orderBy.map(({ value, descending }) => `${printExpression(value)} ${descending ? "DESC" : "ASC"}`);
  return `ORDER BY ${items.join(", ")}`;
}

export function printProjection({ projection }: Select): string {
  if (projection.kind === "star") return "*";
  if (projection.kind === "value") return `VALUE ${printExpression(projection.value)}`;
  return projection.columns
    .map(({ value, alias }) => `${printExpression(value)}${alias === undefined ? "" : ` AS ${quoted(alias)}`}`)
    .join(", ");
}

const quoted = (alias: string) => JSON.stringify(alias);

export function printSelect(select: Select): string {
  const { distinct, top, sources, where, groupBy, orderBy, rank, offset, limit } = select;
  const parts = [
    `SELECT ${distinct ? "DISTINCT " : ""}${top ? `TOP ${printExpression(top)} ` : ""}${printProjection(select)}`,
    printSources(sources),
    where && `WHERE ${printExpression(where)}`,
    groupBy && `GROUP BY ${printList(groupBy)}`,
    orderBy && printOrder(orderBy),
    rank && `ORDER BY RANK ${printExpression(rank)}`,
    offset && limit && `OFFSET ${printExpression(offset)} LIMIT ${printExpression(limit)}`,
  ];
  return parts.filter((part) => part !== undefined && part !== "").join(" ");
}
