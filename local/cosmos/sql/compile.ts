import { badRequest } from "../errors.ts";
import { aggregate } from "./aggregates.ts";
import { AGGREGATES, type Expression, pathOf, type Select } from "./ast.ts";
import { builtIn } from "./functions.ts";
import { arithmetic, comparison } from "./operators.ts";
import { likePattern } from "./patterns.ts";
import type { Evaluate, Row } from "./row.ts";
import { isSearchFunction, searchFunction } from "./search.ts";
import { compare, define, equal, type Json, type JsonObject, property, typeRank } from "./values.ts";

/** A SELECT inside an expression: its results for a row of the query around it. */
export interface Subquery {
  evaluate(row: Row): Json[];
}

export type CompileSubquery = (select: Select, around: Scope) => Subquery;

/** Which slot each alias has, and how a subquery is compiled. A subquery sees the aliases around it. */
export class Scope {
  readonly compileSubquery: CompileSubquery;
  readonly #slots: Map<string, number>;
  size: number;
  /** the alias of the container's items */
  root: string | undefined;

  constructor(compileSubquery: CompileSubquery, around?: Scope) {
    this.compileSubquery = compileSubquery;
    this.#slots = new Map(around ? around.#slots : []);
    this.size = around?.size ?? 0;
    this.root = around?.root;
  }

  add(alias: string): number {
    this.#slots.set(alias, this.size);
    return this.size++;
  }

  slot(alias: string): number | undefined {
    return this.#slots.get(alias);
  }
}

/** Turns an expression into a function of a row. Nothing is evaluated as code, so a query can only read its row. */
export function compile(expression: Expression, scope: Scope): Evaluate {
  switch (expression.kind) {
    case "constant": {
      const { value } = expression;
      return () => value;
    }
    case "parameter":
      return compileParameter(expression.name);
    case "identifier":
      return compileIdentifier(expression.name, scope);
    case "member":
      return compileMember(expression.object, expression.property, scope);
    case "unary":
      return compileUnary(expression.operator, compile(expression.operand, scope));
    case "binary":
      return compileBinary(expression.operator, compile(expression.left, scope), compile(expression.right, scope));
    case "conditional": {
      const [test, yes, no] = [expression.test, expression.yes, expression.no].map((part) => compile(part, scope));
      return (row) => (test?.(row) === true ? yes?.(row) : no?.(row));
    }
    case "in":
      return compileIn(
        compile(expression.value, scope),
        expression.list.map((element) => compile(element, scope)),
      );
    case "between": {
      const value = compile(expression.value, scope);
      const from = compileBinary(">=", value, compile(expression.low, scope));
      const to = compileBinary("<=", value, compile(expression.high, scope));
      return and(from, to);
    }
    case "like":
      return compileLike(expression, scope);
    case "array":
      return compileArray(expression.items.map((item) => compile(item, scope)));
    case "object":
      return compileObject(expression.fields.map(([name, value]) => [name, compile(value, scope)]));
    case "call":
      return compileCall(expression.name, expression.args, scope);
    case "subquery":
      return subqueryValue(expression.form, scope.compileSubquery(expression.select, scope));
  }
}

function compileParameter(name: string): Evaluate {
  return ({ parameters }) => {
    const value = parameters.get(name);
    if (value === undefined) throw badRequest(`The query has no value for the parameter ${name}.`);
    return value;
  };
}

function compileIdentifier(name: string, scope: Scope): Evaluate {
  const slot = scope.slot(name);
  if (slot === undefined) throw badRequest(`Identifier '${name}' could not be resolved.`);
  return ({ slots }) => slots[slot];
}

function compileMember(object: Expression, name: Expression, scope: Scope): Evaluate {
  const holder = compile(object, scope);
  if (name.kind === "constant") return (row) => property(holder(row), name.value);
  const computed = compile(name, scope);
  return (row) => property(holder(row), computed(row));
}

function compileUnary(operator: string, operand: Evaluate): Evaluate {
  if (operator === "NOT") {
    return (row) => {
      const value = operand(row);
      return typeof value === "boolean" ? !value : undefined;
    };
  }
  return (row) => {
    const value = operand(row);
    if (typeof value !== "number") return undefined;
    return operator === "-" ? -value : operator === "~" ? ~value : value;
  };
}

/** Three-valued: false wins over undefined. */
function and(left: Evaluate, right: Evaluate): Evaluate {
  return (row) => {
    const a = left(row);
    if (a === false) return false;
    const b = right(row);
    if (b === false) return false;
    return a === true && b === true ? true : undefined;
  };
}

/** Three-valued: true wins over undefined. */
function or(left: Evaluate, right: Evaluate): Evaluate {
  return (row) => {
    const a = left(row);
    if (a === true) return true;
    const b = right(row);
    if (b === true) return true;
    return a === false && b === false ? false : undefined;
  };
}

function compileBinary(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === "AND") return and(left, right);
  if (operator === "OR") return or(left, right);
  if (operator === "??") {
    return (row) => {
      const value = left(row);
      return value === undefined ? right(row) : value;
    };
  }
  if (operator === "||") {
    return (row) => {
      const [a, b] = [left(row), right(row)];
      return typeof a === "string" && typeof b === "string" ? a + b : undefined;
    };
  }
  if (operator === "=" || operator === "!=") {
    return (row) => {
      const [a, b] = [left(row), right(row)];
      return a === undefined || b === undefined ? undefined : equal(a, b) === (operator === "=");
    };
  }
  const holds = comparison(operator);
  if (holds) return relational(holds, left, right);
  const apply = arithmetic(operator);
  return (row) => {
    const [a, b] = [left(row), right(row)];
    if (typeof a !== "number" || typeof b !== "number") return undefined;
    const result = apply(a, b);
    return Number.isFinite(result) ? result : undefined;
  };
}

/** Values of different types, arrays and objects have no order: undefined. */
function relational(holds: (difference: number) => boolean, left: Evaluate, right: Evaluate): Evaluate {
  return (row) => {
    const [a, b] = [left(row), right(row)];
    const rank = typeRank(a);
    return rank === 0 || rank > 4 || rank !== typeRank(b) ? undefined : holds(compare(a, b));
  };
}

function compileIn(value: Evaluate, list: Evaluate[]): Evaluate {
  return (row) => {
    const wanted = value(row);
    return wanted === undefined ? undefined : list.some((element) => equal(element(row), wanted));
  };
}

function compileLike(expression: Extract<Expression, { kind: "like" }>, scope: Scope): Evaluate {
  const value = compile(expression.value, scope);
  const pattern = compile(expression.pattern, scope);
  const escapeWith = expression.escape && compile(expression.escape, scope);
  return (row) => {
    const [text, like, escapeCharacter] = [value(row), pattern(row), escapeWith?.(row)];
    if (typeof text !== "string" || typeof like !== "string") return undefined;
    return likePattern(like, typeof escapeCharacter === "string" ? escapeCharacter : undefined).test(text);
  };
}

function compileArray(items: Evaluate[]): Evaluate {
  return (row) => items.map((item) => item(row)).filter((value) => value !== undefined);
}

export function compileObject(fields: [string, Evaluate][]): Evaluate {
  return (row) => {
    const object: JsonObject = {};
    for (const [name, evaluate] of fields) {
      const value = evaluate(row);
      if (value !== undefined) define(object, name, value);
    }
    return object;
  };
}

function compileCall(name: string, args: Expression[], scope: Scope): Evaluate {
  if (AGGREGATES.has(name)) return compileAggregate(name, args, scope);
  // Looked up before its arguments: an unknown function is to be told, not what is wrong inside of it.
  const call = isSearchFunction(name) ? undefined : builtIn(name, args.length);
  const values = args.map((arg) => compile(arg, scope));
  if (call) return (row) => call(...values.map((value) => value(row)));
  const { root } = scope;
  const path = args[0] && root !== undefined ? pathOf(args[0], root) : undefined;
  const item = root === undefined ? () => undefined : compileIdentifier(root, scope);
  return searchFunction({ name, path, args: values, root: item });
}

function compileAggregate(name: string, args: Expression[], scope: Scope): Evaluate {
  const [argument] = args;
  if (!argument || args.length > 1) throw badRequest(`The ${name} function requires 1 argument(s).`);
  const evaluate = compile(argument, scope);
  return ({ group }) => {
    if (!group) throw badRequest(`${name} may only be used in a SELECT list.`);
    return aggregate(name, group.map(evaluate));
  };
}

function subqueryValue(form: "exists" | "array" | "scalar", subquery: Subquery): Evaluate {
  return (row) => {
    const values = subquery.evaluate(row);
    if (form === "exists") return values.length > 0;
    if (form === "array") return values;
    return values[0];
  };
}
