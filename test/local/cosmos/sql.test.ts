import { describe, expect, test } from "vitest";
import { queryObjects } from "../../../local/cosmos/prepared-query.ts";
import type { Json, JsonObject } from "../../../local/cosmos/sql/values.ts";

const item: JsonObject = {
  id: "a",
  n: 5,
  zero: 0,
  s: "Hello",
  t: true,
  nil: null,
  list: [1, "two", { k: 3 }],
  tags: ["x", "y"],
  o: { deep: { er: 1 }, "odd name": 2 },
};
const others: JsonObject[] = [
  { id: "b", n: 7, s: "World", tags: ["y", "z"] },
  { id: "c", n: 5, s: "help", tags: [] },
];

const run = (sql: string, parameters: Record<string, Json> = {}, objects: JsonObject[] = [item]) =>
  queryObjects(objects, sql, new Map(Object.entries(parameters)));

/** The value of an expression; undefined when it has none. */
const value = (expression: string, parameters: Record<string, Json> = {}) =>
  run(`SELECT VALUE ${expression} FROM c`, parameters)[0];

describe("an expression", () => {
  test.each<[string, Json | undefined]>([
    ["c.n + 2 * 3", 11],
    ["(c.n + 2) * 3 % 4", 1],
    ["-c.n", -5],
    ["c.n / 0", undefined],
    ["c.s || '!'", "Hello!"],
    ["c.absent", undefined],
    ["c.absent ?? 'x'", "x"],
    ["c.nil ?? 'x'", null],
    ["c.n > 3 ? 'big' : 'small'", "big"],
    ["c['o']['odd name']", 2],
    ["c.list[2].k", 3],
    ["c.list['0']", undefined],
    ["c.o.deep.er", 1],
    ["c.constructor", undefined],
    ["c.list.length", undefined],
    ["{a: c.n, 'b': c.absent}", { a: 5 }],
    ["[c.n, c.absent, 'z']", [5, "z"]],
    ["'it''s' || \" \\u0041\\n\"", "it's A\n"],
    ["5 & 3 | 8", 9],
    ["1e3", 1000],
  ])("%s is %j", (expression, expected) => expect(value(expression)).toEqual(expected));
});

describe("a comparison", () => {
  test.each<[string, boolean | undefined]>([
    ["c.n = 5", true],
    ["c.n != 5", false],
    ["c.n <> 6", true],
    ["c.n = '5'", false],
    ["c.n < '6'", undefined],
    ["c.absent = 1", undefined],
    ["c.absent != 1", undefined],
    ["c.nil = null", true],
    ["c.o = {'odd name': 2, deep: {er: 1}}", true],
    ["c.list = [1, 'two', {k: 3}]", true],
    ["c.list > 1", undefined],
    ["c.s > 'Hell'", true],
    ["c.t > false", true],
    ["c.n BETWEEN 5 AND 6", true],
    ["c.n NOT BETWEEN 5 AND 6", false],
    ["c.n BETWEEN 1 AND 'z'", undefined],
    ["c.n IN (1, 5)", true],
    ["c.n NOT IN (1, 5)", false],
    ["c.absent IN (1)", undefined],
    ["c.s LIKE 'He%'", true],
    ["c.s LIKE 'H_llo'", true],
    ["c.s LIKE '[F-I]ello'", true],
    ["c.s LIKE 'h%'", false],
    ["c.s NOT LIKE '%z%'", true],
    ["'50%' LIKE '50!%' ESCAPE '!'", true],
    ["NOT c.n = 5", false],
    ["NOT c.absent", undefined],
    ["c.absent AND false", false],
    ["c.absent AND true", undefined],
    ["c.absent OR true", true],
    ["c.absent OR false", undefined],
    ["c.n = 1 OR c.n = 5 AND c.zero = 0", true],
  ])("%s is %j", (expression, expected) => expect(value(expression)).toEqual(expected));
});

describe("a function", () => {
  test.each<[string, Json | undefined]>([
    ["IS_DEFINED(c.absent)", false],
    ["IS_NULL(c.nil)", true],
    ["IS_NULL(c.absent)", false],
    ["is_number(c.n)", true],
    ["IS_PRIMITIVE(c.o)", false],
    ["ARRAY_CONTAINS(c.tags, 'x')", true],
    ["ARRAY_CONTAINS(c.list, {k: 3})", true],
    ["ARRAY_CONTAINS([{a: 1, b: 2}], {a: 1}, true)", true],
    ["ARRAY_CONTAINS([{a: 1, b: 2}], {a: 1})", false],
    ["ARRAY_CONTAINS(c.s, 'H')", undefined],
    ["ARRAY_CONTAINS_ANY(c.tags, ['q', 'y'])", true],
    ["ARRAY_CONTAINS_ALL(c.tags, ['q', 'y'])", false],
    ["ARRAY_LENGTH(c.list)", 3],
    ["ARRAY_SLICE(c.tags, -1)", ["y"]],
    ["ARRAY_CONCAT(c.tags, [1])", ["x", "y", 1]],
    ["STARTSWITH(c.s, 'he')", false],
    ["STARTSWITH(c.s, 'he', true)", true],
    ["ENDSWITH(c.s, 'lo')", true],
    ["CONTAINS(c.s, 'ell')", true],
    ["CONTAINS(c.n, 'ell')", undefined],
    ["LOWER(c.s)", "hello"],
    ["UPPER(c.n)", undefined],
    ["LENGTH(c.s)", 5],
    ["SUBSTRING(c.s, 1, 3)", "ell"],
    ["LEFT(c.s, 2) || RIGHT(c.s, 2)", "Helo"],
    ["REPLACE(c.s, 'l', '$&')", "He$&$&o"],
    ["INDEX_OF(c.s, 'l')", 2],
    ["CONCAT(c.s, ' ', 'x')", "Hello x"],
    ["ToString(c.o.deep)", '{"er":1}'],
    ["TRIM('  x ')", "x"],
    ["REGEXMATCH(c.s, '^h', 'i')", true],
    ["ROUND(-2.5)", -3],
    ["FLOOR(2.7) + CEILING(2.1) + ABS(-1)", 6],
    ["IIF(c.n = 5, 'five', 'other')", "five"],
    ["StringToNumber('12')", 12],
  ])("%s is %j", (expression, expected) => expect(value(expression)).toEqual(expected));
});

describe("a query", () => {
  const objects = [item, ...others];
  test.each<[string, Json[]]>([
    ["SELECT VALUE c.id FROM c WHERE c.n = @five", ["a", "c"]],
    ["SELECT c.id, c.n AS m, 1 FROM c WHERE c.id = 'a'", [{ id: "a", m: 5, $1: 1 }]],
    ["SELECT VALUE r.id FROM root r WHERE r.n > @five", ["b"]],
    ["SELECT c.id FROM c ORDER BY c.n DESC, c.id DESC", [{ id: "b" }, { id: "c" }, { id: "a" }]],
    ["SELECT TOP 1 VALUE c.id FROM c", ["a"]],
    ["SELECT VALUE c.id FROM c OFFSET 1 LIMIT 1", ["b"]],
    ["SELECT DISTINCT VALUE c.n FROM c", [5, 7]],
    ["SELECT VALUE COUNT(1) FROM c", [3]],
    ["SELECT VALUE COUNT(c.t) FROM c", [1]],
    [
      "SELECT COUNT(1) AS n, MIN(c.n) AS low, MAX(c.s) AS high, AVG(c.n) AS mean FROM c",
      [{ n: 3, low: 5, high: "help", mean: 17 / 3 }],
    ],
    ["SELECT VALUE SUM(c.s) FROM c", []],
    [
      "SELECT c.n, COUNT(1) AS k FROM c GROUP BY c.n",
      [
        { n: 5, k: 2 },
        { n: 7, k: 1 },
      ],
    ],
    ["SELECT VALUE t FROM c JOIN t IN c.tags WHERE c.n >= @five", ["x", "y", "y", "z"]],
    ["SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'z')", ["b"]],
    ["SELECT VALUE ARRAY(SELECT VALUE UPPER(t) FROM t IN c.tags) FROM c WHERE c.id = 'a'", [["X", "Y"]]],
    ["SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.tags) FROM c", [2, 2, 0]],
    ["SELECT VALUE c.id FROM c -- a comment\nWHERE c.t", ["a"]],
  ])("%s", (sql, expected) => expect(run(sql, { "@five": 5 }, objects)).toEqual(expected));

  test.each([
    ["SELECT * FROM c WHERE", "end of query"],
    ["SELECT d FROM c JOIN d IN [c.o]", "near '['"],
    ["SELECT * FROM c WHERE c.a === 1", "near '='"],
    ["SELECT * FROM c WHERE c.a = 'open", "near"],
    ["SELECT NoSuchFunction(c.a) FROM c", "NOSUCHFUNCTION"],
    ["SELECT ST_DISTANCE(c.a, c.b) FROM c", "ST_DISTANCE"],
    ["SELECT (SELECT VALUE x FROM x IN c.list ORDER BY RANK RRF(x)) FROM c", "ORDER BY RANK in a subquery"],
    ["SELECT udf.f(c) FROM c", "user-defined functions"],
    ["SELECT * FROM c IN c.list", "FROM"],
    ["SELECT c.n, COUNT(1) FROM c GROUP BY c.n ORDER BY c.n", "GROUP BY"],
    ["SELECT ABS(1, 2) FROM c", "ABS"],
    ["SELECT TOP -1 * FROM c", "near '-'"],
    [`SELECT ${"(".repeat(300)}1${")".repeat(300)}`, "too deeply"],
  ])("%s is refused, and says why", (sql, why) => expect(() => run(sql)).toThrow(why));
});
