import type { Path, Value } from "./values.ts";

/** What the parser makes of a query; see parser.ts for the grammar and compile.ts for the meaning. */
export type Expression =
  | { kind: "constant"; value: Value }
  | { kind: "parameter"; name: string }
  | { kind: "identifier"; name: string }
  | { kind: "member"; object: Expression; property: Expression }
  | { kind: "unary"; operator: string; operand: Expression }
  | { kind: "binary"; operator: string; left: Expression; right: Expression }
  | { kind: "conditional"; test: Expression; yes: Expression; no: Expression }
  | { kind: "in"; value: Expression; list: Expression[] }
  | { kind: "between"; value: Expression; low: Expression; high: Expression }
  | { kind: "like"; value: Expression; pattern: Expression; escape: Expression | undefined }
  | { kind: "array"; items: Expression[] }
  | { kind: "object"; fields: [string, Expression][] }
  | { kind: "call"; name: string; args: Expression[] }
  | { kind: "subquery"; form: "exists" | "array" | "scalar"; select: Select };

export interface Source {
  iterate: boolean;
  alias: string | undefined;
  from: Expression | Select;
}

export type Projection = { kind: "star" } | { kind: "value"; value: Expression } | { kind: "list"; columns: Column[] };

export interface Column {
  value: Expression;
  alias: string | undefined;
}

export interface Select {
  kind: "select";
  distinct: boolean;
  top: Expression | undefined;
  projection: Projection;
  sources: Source[];
  where: Expression | undefined;
  groupBy: Expression[] | undefined;
  orderBy: { value: Expression; descending: boolean }[] | undefined;
  /** of ORDER BY RANK */
  rank: Expression | undefined;
  offset: Expression | undefined;
  limit: Expression | undefined;
}

export const AGGREGATES: ReadonlySet<string> = new Set(["COUNT", "SUM", "AVG", "MIN", "MAX"]);

/** The direct sub-expressions; a subquery is a world of its own and has none. */
export function children(expression: Expression): Expression[] {
  switch (expression.kind) {
    case "constant":
    case "parameter":
    case "identifier":
    case "subquery":
      return [];
    case "member":
      return [expression.object, expression.property];
    case "unary":
      return [expression.operand];
    case "binary":
      return [expression.left, expression.right];
    case "conditional":
      return [expression.test, expression.yes, expression.no];
    case "in":
      return [expression.value, ...expression.list];
    case "between":
      return [expression.value, expression.low, expression.high];
    case "like":
      return [expression.value, expression.pattern, ...(expression.escape ? [expression.escape] : [])];
    case "array":
      return expression.items;
    case "object":
      return expression.fields.map(([, value]) => value);
    case "call":
      return expression.args;
  }
}

/** Whether a function is called anywhere in an expression. */
export function calls(expression: Expression, name: string): boolean {
  if (expression.kind === "call" && expression.name === name) return true;
  return children(expression).some((child) => calls(child, name));
}

export function hasAggregate(expression: Expression): boolean {
  if (expression.kind === "call" && AGGREGATES.has(expression.name)) return true;
  return children(expression).some(hasAggregate);
}

/** `c.a.b` as a path; undefined for anything else. */
export function pathOf(expression: Expression, root: string): Path | undefined {
  if (expression.kind === "identifier") return expression.name === root ? [] : undefined;
  if (expression.kind !== "member" || expression.property.kind !== "constant") return undefined;
  const name = expression.property.value;
  const parent = pathOf(expression.object, root);
  return parent && typeof name === "string" ? [...parent, name] : undefined;
}
