import { badRequest, unsupported } from "../errors.ts";
import { regularExpression } from "./patterns.ts";
import { containsPart, equal, isObject, isPrimitive, type Json, type Value } from "./values.ts";

export type BuiltIn = (...args: Value[]) => Value;

interface Definition {
  least: number;
  most: number;
  call: BuiltIn;
}

const define = (least: number, most: number, call: BuiltIn): Definition => ({ least, most, call });

/** A function of one number; any other argument gives undefined, as everywhere in the language. */
const ofNumber = (f: (n: number) => number) => define(1, 1, (n) => (typeof n === "number" ? finite(f(n)) : undefined));

const ofString = (f: (s: string) => Json) => define(1, 1, (s) => (typeof s === "string" ? f(s) : undefined));

/** A test on two strings with an optional third argument `true` for "ignore case". */
const ofStrings = (f: (a: string, b: string) => boolean) =>
  define(2, 3, (a, b, ignoreCase) => {
    if (typeof a !== "string" || typeof b !== "string") return undefined;
    return ignoreCase === true ? f(a.toLowerCase(), b.toLowerCase()) : f(a, b);
  });

const test = (f: (value: Value) => boolean) => define(1, 1, f);

const ofArrays = (f: (a: Json[], b: Json[]) => Value) =>
  define(2, 2, (a, b) => (Array.isArray(a) && Array.isArray(b) ? f(a, b) : undefined));

const finite = (n: number): Value => (Number.isFinite(n) ? n : undefined);
const has = (list: Json[], value: Value) => list.some((element) => equal(element, value));
const unique = (list: Json[]) => list.filter((value, i) => list.findIndex((other) => equal(other, value)) === i);
const allStrings = (values: Value[]): values is string[] => values.every((value) => typeof value === "string");

/** The real service caps the result of REPLICATE at 10,000 characters. */
const MAX_REPLICATED = 10_000;

const TYPES: Record<string, Definition> = {
  IS_ARRAY: test(Array.isArray),
  IS_BOOL: test((value) => typeof value === "boolean"),
  IS_DEFINED: test((value) => value !== undefined),
  IS_FINITE_NUMBER: test(Number.isFinite),
  IS_INTEGER: test(Number.isInteger),
  IS_NULL: test((value) => value === null),
  IS_NUMBER: test((value) => typeof value === "number"),
  IS_OBJECT: test(isObject),
  IS_PRIMITIVE: test(isPrimitive),
  IS_STRING: test((value) => typeof value === "string"),
};

const MATHS: Record<string, Definition> = {
  ABS: ofNumber(Math.abs),
  CEILING: ofNumber(Math.ceil),
  EXP: ofNumber(Math.exp),
  FLOOR: ofNumber(Math.floor),
  LOG: define(1, 2, (n, base) => {
    if (typeof n !== "number") return undefined;
    return finite(typeof base === "number" ? Math.log(n) / Math.log(base) : Math.log(n));
  }),
  LOG10: ofNumber(Math.log10),
  POWER: define(2, 2, (n, power) =>
    typeof n === "number" && typeof power === "number" ? finite(n ** power) : undefined,
  ),
  // Away from zero at .5, unlike Math.round.
  ROUND: ofNumber((n) => Math.sign(n) * Math.round(Math.abs(n))),
  SIGN: ofNumber(Math.sign),
  SQRT: ofNumber(Math.sqrt),
  SQUARE: ofNumber((n) => n * n),
  TRUNC: ofNumber(Math.trunc),
};

const STRINGS: Record<string, Definition> = {
  CONCAT: define(2, 200, (...parts) => (allStrings(parts) ? parts.join("") : undefined)),
  CONTAINS: ofStrings((a, b) => a.includes(b)),
  ENDSWITH: ofStrings((a, b) => a.endsWith(b)),
  INDEX_OF: define(2, 3, (a, b, from) =>
    typeof a === "string" && typeof b === "string" ? a.indexOf(b, typeof from === "number" ? from : 0) : undefined,
  ),
  LEFT: define(2, 2, (s, n) =>
    typeof s === "string" && typeof n === "number" ? s.slice(0, Math.max(0, n)) : undefined,
  ),
  LENGTH: ofString((s) => s.length),
  LOWER: ofString((s) => s.toLowerCase()),
  LTRIM: ofString((s) => s.trimStart()),
  REGEXMATCH: define(2, 3, (s, pattern, modifiers) => {
    if (typeof s !== "string" || typeof pattern !== "string") return undefined;
    return regularExpression(pattern, typeof modifiers === "string" ? modifiers : "").test(s);
  }),
  REPLACE: define(3, 3, (s, from, to) => {
    if (typeof s !== "string" || typeof from !== "string" || typeof to !== "string") return undefined;
    return s.replaceAll(from, () => to);
  }),
  REPLICATE: define(2, 2, (s, n) => {
    if (typeof s !== "string" || typeof n !== "number" || n < 0 || s.length * n > MAX_REPLICATED) return undefined;
    return s.repeat(n);
  }),
  REVERSE: ofString((s) => [...s].reverse().join("")),
  RIGHT: define(2, 2, (s, n) =>
    typeof s === "string" && typeof n === "number" ? (n > 0 ? s.slice(-n) : "") : undefined,
  ),
  RTRIM: ofString((s) => s.trimEnd()),
  STARTSWITH: ofStrings((a, b) => a.startsWith(b)),
  STRINGEQUALS: ofStrings((a, b) => a === b),
  SUBSTRING: define(3, 3, (s, start, length) => {
    if (typeof s !== "string" || typeof start !== "number" || typeof length !== "number") return undefined;
    return length <= 0 || start < 0 ? "" : s.slice(start, start + length);
  }),
  TOSTRING: define(1, 1, (value) => {
    if (value === undefined) return undefined;
    return typeof value === "string" ? value : JSON.stringify(value);
  }),
  TRIM: ofString((s) => s.trim()),
  UPPER: ofString((s) => s.toUpperCase()),
  STRINGTONUMBER: define(1, 1, (s) => (typeof s === "string" && s.trim() !== "" ? finite(Number(s)) : undefined)),
  STRINGTOBOOLEAN: define(1, 1, (s) => (typeof s === "string" ? { true: true, false: false }[s.trim()] : undefined)),
};

const ARRAYS: Record<string, Definition> = {
  ARRAY_CONCAT: define(2, 200, (...lists) =>
    lists.every((list) => Array.isArray(list)) ? lists.flatMap((list) => list as Json[]) : undefined,
  ),
  ARRAY_CONTAINS: define(2, 3, (list, value, partial) => {
    if (!Array.isArray(list) || value === undefined) return undefined;
    return partial === true ? list.some((element) => containsPart(element, value)) : has(list, value);
  }),
  ARRAY_CONTAINS_ALL: define(2, 2, (list, values) =>
    Array.isArray(list) && Array.isArray(values) ? values.every((value) => has(list, value)) : undefined,
  ),
  ARRAY_CONTAINS_ANY: define(2, 2, (list, values) =>
    Array.isArray(list) && Array.isArray(values) ? values.some((value) => has(list, value)) : undefined,
  ),
  ARRAY_LENGTH: define(1, 1, (list) => (Array.isArray(list) ? list.length : undefined)),
  ARRAY_SLICE: define(2, 3, (list, start, length) => {
    if (!Array.isArray(list) || typeof start !== "number") return undefined;
    const first = start < 0 ? Math.max(0, list.length + start) : start;
    return typeof length === "number" ? list.slice(first, first + Math.max(0, length)) : list.slice(first);
  }),
  SETINTERSECT: ofArrays((a, b) => unique(a.filter((value) => has(b, value)))),
  SETUNION: ofArrays((a, b) => unique([...a, ...b])),
};

/** Cosmos writes seven decimals of a second. */
const dateTime = (milliseconds: number) => new Date(milliseconds).toISOString().replace("Z", "0000Z");

const OTHERS: Record<string, Definition> = {
  IIF: define(3, 3, (condition, yes, no) => (condition === true ? yes : no)),
  GETCURRENTDATETIME: define(0, 0, () => dateTime(Date.now())),
  GETCURRENTTIMESTAMP: define(0, 0, () => Date.now()),
  TIMESTAMPTODATETIME: define(1, 1, (n) => (typeof n === "number" && Math.abs(n) <= 8.64e15 ? dateTime(n) : undefined)),
  DATETIMETOTIMESTAMP: define(1, 1, (s) => (typeof s === "string" ? finite(Date.parse(s)) : undefined)),
};

const BUILT_INS = new Map(Object.entries({ ...TYPES, ...MATHS, ...STRINGS, ...ARRAYS, ...OTHERS }));

/** In the real service, absent here: refused as "not supported", not as "unknown". */
const KNOWN_ABSENT = new Set(
  (
    "ACOS ASIN ATAN ATN2 COS COT DEGREES PI RADIANS RAND SIN TAN NUMBERBIN INTADD INTSUB INTMUL INTDIV INTMOD " +
    "INTBITAND INTBITOR INTBITXOR INTBITNOT INTBITLEFTSHIFT INTBITRIGHTSHIFT STRINGTONULL STRINGTOARRAY " +
    "STRINGTOOBJECT STRINGJOIN STRINGSPLIT CHOOSE OBJECTTOARRAY DOCUMENTID GETCURRENTTICKS GETCURRENTDATETIMESTATIC " +
    "GETCURRENTTICKSSTATIC GETCURRENTTIMESTAMPSTATIC DATETIMEADD DATETIMEBIN DATETIMEDIFF DATETIMEFROMPARTS " +
    "DATETIMEPART DATETIMETOTICKS TICKSTODATETIME ST_AREA ST_DISTANCE ST_INTERSECTS ST_ISVALID ST_ISVALIDDETAILED " +
    "ST_WITHIN MAKELIST MAKESET COUNTIF"
  ).split(" "),
);

/**
 * The built-in function of that name (upper case); throws 400 when there is none or the arguments are too few or many.
 */
export function builtIn(name: string, args: number): BuiltIn {
  const found = BUILT_INS.get(name);
  if (found) {
    if (args >= found.least && args <= found.most) return found.call;
    throw badRequest(`The ${name} function requires ${found.least} to ${found.most} argument(s), not ${args}.`);
  }
  if (KNOWN_ABSENT.has(name)) throw unsupported(`the SQL function ${name}`);
  throw badRequest(`'${name}' is not a recognized built-in function name.`);
}
