import { badRequest, unsupported } from "../errors.ts";
import { type Column, calls, type Expression, hasAggregate, type Select, type Source } from "./ast.ts";
import { compile, compileObject, Scope } from "./compile.ts";
import type { Evaluate, Parameters, Row } from "./row.ts";
import { canonical, compare, type Json, type Value } from "./values.ts";

/** A result before paging: its value and the values that it is sorted by. */
export interface Result {
  value: Json;
  order: Value[];
}

interface BoundSource {
  slot: number;
  rows: (row: Row) => Value[];
}

/** A SELECT ready to run over rows; the executor feeds the outermost one with items, subqueries feed themselves. */
export class CompiledSelect {
  readonly select: Select;
  /** The slot of the container's item, when the first source is the container itself. */
  readonly rootSlot: number | undefined;
  readonly rootAlias: string | undefined;
  readonly aggregated: boolean;
  readonly #sources: BoundSource[];
  readonly #where: Evaluate | undefined;
  readonly #groupBy: Evaluate[] | undefined;
  readonly #orderBy: { evaluate: Evaluate; sign: 1 | -1 }[];
  readonly #limits: { top?: Evaluate; offset?: Evaluate; limit?: Evaluate };
  readonly project: Evaluate;

  constructor(select: Select, parent?: Scope) {
    const scope = new Scope(parent);
    this.select = select;
    const [first, ...joined] = select.sources;
    const root = parent ? undefined : containerSource(first);
    if (!parent && first && root === undefined) {
      throw unsupported("a FROM that is not the container itself (start with FROM c and JOIN its arrays)");
    }
    this.rootAlias = root;
    this.rootSlot = root === undefined ? undefined : scope.add(root);
    if (root !== undefined) scope.root = root;
    const bound = root === undefined ? select.sources : joined;
    this.#sources = bound.map((source) => bindSource(source, scope));
    this.#where = select.where && compile(select.where, scope);
    this.#groupBy = select.groupBy?.map((expression) => compile(expression, scope));
    this.aggregated = select.groupBy !== undefined || projected(select).some(hasAggregate);
    if (select.rank && (parent || this.aggregated || select.distinct)) {
      throw unsupported("ORDER BY RANK in a subquery, or together with DISTINCT, GROUP BY or an aggregate");
    }
    if (this.aggregated && select.orderBy) throw unsupported("ORDER BY together with GROUP BY or an aggregate");
    this.project = compileProjection(select, scope);
    this.#orderBy = (select.orderBy ?? []).map(({ value, descending }) => ({
      evaluate: compile(value, scope),
      sign: descending ? -1 : 1,
    }));
    this.#limits = {};
    if (select.top) this.#limits.top = compile(select.top, scope);
    if (select.offset) this.#limits.offset = compile(select.offset, scope);
    if (select.limit) this.#limits.limit = compile(select.limit, scope);
  }

  /** No JOIN makes several rows of an item. */
  get hasRowForEachItem(): boolean {
    return this.#sources.length === 0;
  }

  /** What the only expression of ORDER BY is for a row. */
  orderOf(row: Row): Value {
    return this.#orderBy[0]?.evaluate(row);
  }

  /** The rows that a row of the outer world (an item, or the rows around a subquery) expands to, filtered by WHERE. */
  expand(row: Row): Row[] {
    let rows = [row];
    for (const source of this.#sources) {
      rows = rows.flatMap((outer) =>
        source.rows(outer).map((value) => {
          const slots = outer.slots.slice();
          slots[source.slot] = value;
          return { ...outer, slots };
        }),
      );
    }
    const where = this.#where;
    return where ? rows.filter((candidate) => where(candidate) === true) : rows;
  }

  /** How many results to skip and to give at most; throws 400 unless both are whole numbers. */
  window(parameters: Parameters): { skip: number; take: number } {
    const row: Row = { slots: [], parameters };
    const count = (evaluate: Evaluate | undefined, absent: number) => {
      if (!evaluate) return absent;
      const value = evaluate(row);
      if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
      throw badRequest("TOP, OFFSET and LIMIT take an integer that is not negative.");
    };
    const { top, offset, limit } = this.#limits;
    return { skip: count(offset, 0), take: Math.min(count(top, Infinity), count(limit, Infinity)) };
  }

  /** All results over these rows: grouped, projected, distinct, sorted; not yet cut to the window. */
  results(rows: Row[], parameters: Parameters): Result[] {
    const groups = this.aggregated ? this.#group(rows, parameters) : rows;
    const results: Result[] = [];
    for (const row of groups) {
      const value = this.project(row);
      if (value === undefined) continue;
      results.push({ value, order: this.#orderBy.map(({ evaluate }) => evaluate(row)) });
    }
    if (this.#orderBy.length > 0) results.sort((a, b) => this.compareOrder(a.order, b.order));
    return this.select.distinct ? distinct(results) : results;
  }

  /** One row of aggregates whose parts a client can put together: all but averages. */
  get hasSummableParts(): boolean {
    const { groupBy, distinct } = this.select;
    return this.aggregated && !groupBy && !distinct && !projected(this.select).some((value) => calls(value, "AVG"));
  }

  compareOrder(a: Value[], b: Value[]): number {
    for (const [i, { sign }] of this.#orderBy.entries()) {
      const difference = compare(a[i], b[i]);
      if (difference !== 0) return difference * sign;
    }
    return 0;
  }

  /** As a subquery: everything inside the row around it. */
  evaluate(outer: Row): Json[] {
    const { parameters, slots, container } = outer;
    const { skip, take } = this.window(parameters);
    const results = this.results(this.expand({ slots, parameters, container }), parameters);
    return results.slice(skip, skip + take).map(({ value }) => value);
  }

  #group(rows: Row[], parameters: Parameters): Row[] {
    const groupBy = this.#groupBy;
    if (!groupBy) return [{ slots: rows[0]?.slots ?? [], parameters, group: rows }];
    const groups = new Map<string, Row[]>();
    for (const row of rows) {
      const key = groupBy.map((evaluate) => canonical(evaluate(row))).join("\0");
      const group = groups.get(key);
      if (group) group.push(row);
      else groups.set(key, [row]);
    }
    return [...groups.values()].map((group) => ({ slots: group[0]?.slots ?? [], parameters, group }));
  }
}

export const compileSelect = (select: Select, parent?: Scope) => new CompiledSelect(select, parent);

function distinct(results: Result[]): Result[] {
  const seen = new Set<string>();
  return results.filter(({ value }) => {
    const key = canonical(value);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** `FROM c` or `FROM root r`: any single name is the container. */
function containerSource(source: Source | undefined): string | undefined {
  if (!source || source.iterate || source.from.kind !== "identifier") return undefined;
  return source.alias ?? source.from.name;
}

function bindSource(source: Source, scope: Scope): BoundSource {
  const { from, iterate } = source;
  if (from.kind === "select") {
    const inner = compileSelect(from, scope);
    if (iterate) throw unsupported("FROM alias IN (subquery)");
    if (source.alias === undefined) throw badRequest("A subquery in FROM needs an alias.");
    return { rows: (row) => inner.evaluate(row), slot: scope.add(source.alias) };
  }
  const evaluate = compile(from, scope);
  const slot = scope.add(source.alias ?? lastName(from));
  const rows = (row: Row): Value[] => {
    const value = evaluate(row);
    if (iterate) return Array.isArray(value) ? value : [];
    return value === undefined ? [] : [value];
  };
  return { slot, rows };
}

function lastName(expression: Expression): string {
  if (expression.kind === "identifier") return expression.name;
  if (expression.kind === "member" && expression.property.kind === "constant") return String(expression.property.value);
  throw badRequest("A source in FROM needs an alias.");
}

function projected({ projection }: Select): Expression[] {
  if (projection.kind === "star") return [];
  return projection.kind === "value" ? [projection.value] : projection.columns.map(({ value }) => value);
}

function compileProjection(select: Select, scope: Scope): Evaluate {
  const { projection, sources } = select;
  if (projection.kind === "star") {
    if (sources.length !== 1) throw badRequest("'SELECT *' is only valid with a single input set.");
    const slot = scope.size - 1;
    return ({ slots }) => slots[slot];
  }
  if (projection.kind === "value") return compile(projection.value, scope);
  const names = columnNames(projection.columns);
  return compileObject(projection.columns.map(({ value }, i) => [names[i] ?? "", compile(value, scope)]));
}

/** The properties that the columns of a SELECT list become. */
export function columnNames(columns: Column[]): string[] {
  let unnamed = 0;
  return columns.map(({ value, alias }) => alias ?? columnName(value) ?? `$${++unnamed}`);
}

function columnName(expression: Expression): string | undefined {
  if (expression.kind === "identifier") return expression.name;
  if (expression.kind !== "member" || expression.property.kind !== "constant") return undefined;
  const { value } = expression.property;
  return typeof value === "string" ? value : undefined;
}
