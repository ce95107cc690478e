import { badRequest } from "../errors.ts";

export interface Token {
  kind: "keyword" | "name" | "number" | "string" | "parameter" | "symbol" | "end";
  /** Upper case for keywords, the decoded text for strings. */
  text: string;
  /** As written. */
  raw: string;
  at: number;
}

const KEYWORDS = new Set(
  (
    "SELECT DISTINCT TOP VALUE FROM IN JOIN WHERE GROUP BY ORDER RANK ASC DESC OFFSET LIMIT AS " +
    "AND OR NOT BETWEEN LIKE ESCAPE EXISTS ARRAY NULL UNDEFINED TRUE FALSE"
  ).split(" "),
);

const SPACE = /(?:[ \t\r\n]|--[^\n]*)+/y;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const PARAMETER = /@[A-Za-z0-9_$\u0080-\uffff]+/y;
const NAME = /[A-Za-z_$\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const SYMBOL = /!=|<>|<=|>=|\|\||\?\?|>>>|<<|>>|[=<>+\-*/%&|^~?:.,()[\]{}]/y;
const STRING = /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"/y;

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

export const syntaxError = (near: string, at: number) =>
  badRequest(`Syntax error, incorrect syntax near '${near}' at position ${at}.`);

/** Splits a query into tokens; throws 400 at the first character that fits nothing. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  while (at < sql.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const token = nextToken(match, at);
    if (!token) throw syntaxError(sql.slice(at, at + 10), at);
    tokens.push(token);
    at += token.raw.length;
  }
  tokens.push({ kind: "end", text: "end of query", raw: "end of query", at });
  return tokens;
}

function nextToken(match: (pattern: RegExp) => string | undefined, at: number): Token | undefined {
  const name = match(NAME);
  if (name !== undefined) {
    const upper = name.toUpperCase();
    const keyword = KEYWORDS.has(upper);
    return { kind: keyword ? "keyword" : "name", text: keyword ? upper : name, raw: name, at };
  }
  const text = match(STRING);
  if (text !== undefined) return { kind: "string", text: unquote(text), raw: text, at };
  const number = match(NUMBER);
  if (number !== undefined) return { kind: "number", text: number, raw: number, at };
  const parameter = match(PARAMETER);
  if (parameter !== undefined) return { kind: "parameter", text: parameter, raw: parameter, at };
  const symbol = match(SYMBOL);
  if (symbol !== undefined) return { kind: "symbol", text: symbol === "<>" ? "!=" : symbol, raw: symbol, at };
  return undefined;
}

function unquote(quoted: string): string {
  const quote = quoted.charAt(0);
  const inner = quoted.slice(1, -1).replaceAll(quote + quote, quote);
  return inner.replace(/\\(u[0-9a-fA-F]{4}|[\s\S])/g, (_, escaped: string) =>
    escaped.length === 5 ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16)) : (ESCAPES[escaped] ?? escaped),
  );
}
