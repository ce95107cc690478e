import { badRequest, unsupported } from "../errors.ts";
import type { Expression, Projection, Select, Source } from "./ast.ts";
import { SOFT_KEYWORDS, TokenCursor } from "./cursor.ts";
import { type Token, tokenize } from "./lexer.ts";

/** Binding strength of infix operators, weakest first. NOT stands for NOT IN, NOT BETWEEN, NOT LIKE. */
const STRENGTH: Record<string, number> = {
  "?": 1,
  "??": 2,
  OR: 3,
  AND: 4,
  ...Object.fromEntries(["BETWEEN", "IN", "LIKE", "NOT", "=", "!=", "<", "<=", ">", ">="].map((name) => [name, 6])),
  "|": 7,
  "^": 8,
  "&": 9,
  "<<": 10,
  ">>": 10,
  ">>>": 10,
  "||": 11,
  "+": 12,
  "-": 12,
  "*": 13,
  "/": 13,
  "%": 13,
};
const RANKING = ["FULLTEXTSCORE", "VECTORDISTANCE", "RRF"];
const NOT_STRENGTH = 5;
const COMPARISON_STRENGTH = 6;
const SIGN_STRENGTH = 14;

const MAX_QUERY_LENGTH = 256 * 1024;

/** Parses a query; throws 400 with the position of what it does not understand. */
export function parseQuery(sql: string): Select {
  if (sql.length > MAX_QUERY_LENGTH)
    throw badRequest("The SQL query text exceeded the maximum limit of 262144 characters.");
  return new Parser(tokenize(sql)).whole();
}

class Parser extends TokenCursor {
  whole(): Select {
    const select = this.#select();
    if (this.current.kind !== "end") this.fail();
    return select;
  }

  #select(): Select {
    return this.nested(() => {
      this.need("SELECT");
      const distinct = this.take("DISTINCT");
      const top = this.take("TOP") ? this.#count() : undefined;
      const projection = this.#projection();
      const sources: Source[] = [];
      if (this.take("FROM")) {
        sources.push(this.#source());
        while (this.take("JOIN")) sources.push(this.#source());
      }
      const where = this.take("WHERE") ? this.#expression() : undefined;
      const groupBy = this.#takeBy("GROUP") ? this.list(() => this.#expression()) : undefined;
      const isOrdered = this.#takeBy("ORDER");
      const rank = isOrdered && this.is("RANK") && this.peek(1).kind === "name" ? this.#rank() : undefined;
      const orderBy = isOrdered && !rank ? this.#orderBy() : undefined;
      let offset: Expression | undefined;
      let limit: Expression | undefined;
      if (this.take("OFFSET")) {
        offset = this.#count();
        this.need("LIMIT");
        limit = this.#count();
      }
      return { kind: "select", distinct, top, projection, sources, where, groupBy, orderBy, rank, offset, limit };
    });
  }

  #takeBy(keyword: string): boolean {
    if (!this.take(keyword)) return false;
    this.need("BY");
    return true;
  }

  #projection(): Projection {
    if (this.take("*")) return { kind: "star" };
    if (this.is("VALUE") && this.peek(1).text !== "," && this.take("VALUE")) {
      return { kind: "value", value: this.#expression() };
    }
    const columns = this.list(() => {
      const value = this.#expression();
      if (!this.take("AS")) return { value, alias: this.current.kind === "name" ? this.name() : undefined };
      return { value, alias: this.current.kind === "string" ? this.next().text : this.name() };
    });
    return { kind: "list", columns };
  }

  /** The words of the service, where they are known. */
  #rank(): Expression {
    this.need("RANK");
    const rank = this.#expression();
    if (rank.kind !== "call" || !RANKING.includes(rank.name)) {
      throw badRequest(
        "The ORDER BY RANK clause must be followed by a VectorDistance and/or a FullTextScore function call.",
      );
    }
    if (this.is(",")) throw badRequest("ORDER BY RANK cannot be combined with other ORDER BY expressions.");
    if (this.is("ASC") || this.is("DESC")) throw badRequest("ORDER BY RANK takes neither ASC nor DESC.");
    return rank;
  }

  #orderBy() {
    return this.list(() => {
      const value = this.#expression();
      const descending = this.take("DESC");
      if (!descending) this.take("ASC");
      return { value, descending };
    });
  }

  /** The argument of TOP, OFFSET and LIMIT: a number or a parameter. */
  #count(): Expression {
    const token = this.next();
    if (token.kind === "number") return { kind: "constant", value: Number(token.text) };
    if (token.kind === "parameter") return { kind: "parameter", name: token.text };
    this.back();
    this.fail();
  }

  #source(): Source {
    if (this.current.kind === "name" && this.peek(1).kind === "keyword" && this.peek(1).text === "IN") {
      const alias = this.name();
      this.need("IN");
      return { iterate: true, alias, from: this.#sourceExpression() };
    }
    const from = this.#sourceExpression();
    const alias = this.take("AS") || this.current.kind === "name" ? this.name() : undefined;
    return { iterate: false, alias, from };
  }

  #sourceExpression(): Expression | Select {
    if (this.take("(")) {
      const select = this.#select();
      this.need(")");
      return select;
    }
    return this.#members({ kind: "identifier", name: this.name() });
  }

  #expression(strength = 0): Expression {
    return this.nested(() => {
      let left = this.#prefix();
      for (;;) {
        const token = this.current;
        const binds = token.kind === "symbol" || token.kind === "keyword" ? STRENGTH[token.text] : undefined;
        if (binds === undefined || binds <= strength) return left;
        const next = this.#infix(left, token.text, binds);
        if (!next) return left;
        left = next;
      }
    });
  }

  #infix(left: Expression, operator: string, binds: number): Expression | undefined {
    if (operator === "NOT") {
      if (!["IN", "BETWEEN", "LIKE"].includes(this.peek(1).text)) return undefined;
      this.next();
      const operand = this.#infix(left, this.current.text, binds);
      return operand && { kind: "unary", operator: "NOT", operand };
    }
    this.next();
    switch (operator) {
      case "IN":
        return { kind: "in", value: left, list: this.#parenthesized() };
      case "BETWEEN": {
        const low = this.#expression(COMPARISON_STRENGTH);
        this.need("AND");
        return { kind: "between", value: left, low, high: this.#expression(COMPARISON_STRENGTH) };
      }
      case "LIKE": {
        const pattern = this.#expression(COMPARISON_STRENGTH);
        const escapeWith = this.take("ESCAPE") ? this.#expression(COMPARISON_STRENGTH) : undefined;
        return { kind: "like", value: left, pattern, escape: escapeWith };
      }
      case "?": {
        const yes = this.#expression();
        this.need(":");
        return { kind: "conditional", test: left, yes, no: this.#expression() };
      }
      default:
        return { kind: "binary", operator, left, right: this.#expression(binds) };
    }
  }

  #parenthesized(): Expression[] {
    this.need("(");
    const list = this.list(() => this.#expression());
    this.need(")");
    return list;
  }

  #prefix(): Expression {
    const token = this.next();
    switch (token.kind) {
      case "number":
        return { kind: "constant", value: Number(token.text) };
      case "string":
        return this.#members({ kind: "constant", value: token.text });
      case "parameter":
        return this.#members({ kind: "parameter", name: token.text });
      case "name":
        return this.#members(this.is("(") ? this.#call(token.raw) : { kind: "identifier", name: token.raw });
      case "symbol":
        return this.#symbolPrefix(token);
      case "keyword":
        return this.#keywordPrefix(token);
      case "end":
        this.back();
        this.fail();
    }
  }

  #symbolPrefix(token: Token): Expression {
    switch (token.text) {
      case "-":
      case "+":
      case "~":
        return signed(token.text, this.#expression(SIGN_STRENGTH));
      case "(": {
        if (this.is("SELECT")) return this.#members(this.#subquery("scalar"));
        const inner = this.#expression();
        this.need(")");
        return this.#members(inner);
      }
      case "[": {
        const items = this.is("]") ? [] : this.list(() => this.#expression());
        this.need("]");
        return this.#members({ kind: "array", items });
      }
      case "{": {
        const fields = this.is("}") ? [] : this.list(() => this.#field());
        this.need("}");
        return this.#members({ kind: "object", fields });
      }
    }
    this.back();
    this.fail();
  }

  #field(): [string, Expression] {
    const token = this.next();
    if (token.kind !== "string" && token.kind !== "name" && token.kind !== "keyword") {
      this.back();
      this.fail();
    }
    this.need(":");
    return [token.kind === "string" ? token.text : token.raw, this.#expression()];
  }

  #keywordPrefix(token: Token): Expression {
    switch (token.text) {
      case "NOT":
        return { kind: "unary", operator: "NOT", operand: this.#expression(NOT_STRENGTH) };
      case "NULL":
        return { kind: "constant", value: null };
      case "UNDEFINED":
        return { kind: "constant", value: undefined };
      case "TRUE":
        return { kind: "constant", value: true };
      case "FALSE":
        return { kind: "constant", value: false };
      case "EXISTS":
        this.need("(");
        return this.#subquery("exists");
      case "ARRAY":
        if (this.take("(")) return this.#members(this.#subquery("array"));
        break;
    }
    // LEFT, RIGHT and the like are names; a soft keyword may be the name of a source.
    if (SOFT_KEYWORDS.has(token.text)) return this.#members({ kind: "identifier", name: token.raw });
    this.back();
    this.fail();
  }

  /** After the opening parenthesis. */
  #subquery(form: "exists" | "array" | "scalar"): Expression {
    const select = this.#select();
    this.need(")");
    return { kind: "subquery", form, select };
  }

  #call(name: string): Expression {
    this.need("(");
    const args = this.is(")") ? [] : this.list(() => this.#expression());
    this.need(")");
    return { kind: "call", name: name.toUpperCase(), args };
  }

  #members(expression: Expression): Expression {
    let object = expression;
    for (;;) {
      if (this.take(".")) {
        if (object.kind === "identifier" && object.name.toLowerCase() === "udf") {
          throw unsupported("user-defined functions (udf.…)");
        }
        const { kind, raw } = this.next();
        if (kind !== "name" && kind !== "keyword") {
          this.back();
          this.fail();
        }
        object = { kind: "member", object, property: { kind: "constant", value: raw } };
      } else if (this.take("[")) {
        const property = this.#expression();
        this.need("]");
        object = { kind: "member", object, property };
      } else return object;
    }
  }
}

/** `-5` is a constant, so that the planner can use it as a bound. */
function signed(operator: string, operand: Expression): Expression {
  if (operator === "-" && operand.kind === "constant" && typeof operand.value === "number") {
    return { kind: "constant", value: -operand.value };
  }
  return { kind: "unary", operator, operand };
}
