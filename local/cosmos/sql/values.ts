/** JSON as it is stored, and how Cosmos SQL compares it. `undefined` is a value of the language: "no such property". */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}
export type Value = Json | undefined;
export type Path = readonly string[];

/** The order of types in a sort: undefined < null < boolean < number < string < array < object. */
export function typeRank(value: Value): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (typeof value === "boolean") return 2;
  if (typeof value === "number") return 3;
  if (typeof value === "string") return 4;
  return Array.isArray(value) ? 5 : 6;
}

export const isPrimitive = (value: Value): value is null | boolean | number | string => {
  const rank = typeRank(value);
  return rank > 0 && rank < 5;
};

export const isObject = (value: Value): value is JsonObject => typeRank(value) === 6;

/** Total order over all values; strings by UTF-16 code unit. */
export function compare(a: Value, b: Value): number {
  if (a === b) return 0;
  const rank = typeRank(a);
  const difference = rank - typeRank(b);
  if (difference !== 0) return difference;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : 1;
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (Array.isArray(a) && Array.isArray(b)) return compareArrays(a, b);
  const left = canonical(a);
  const right = canonical(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareArrays(a: Json[], b: Json[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = compare(a[i], b[i]);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Deep equality; property order does not matter. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((x, i) => equal(x, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]))
  );
}

/** ARRAY_CONTAINS(..., true): every property of `part` is in `whole`. */
export function containsPart(whole: Value, part: Value): boolean {
  if (!isObject(whole) || !isObject(part)) return equal(whole, part);
  return Object.keys(part).every((name) => containsPart(property(whole, name), part[name]));
}

/** One step into a value; anything that is not there is undefined, and no inherited property is ever seen. */
export function property(value: Value, name: Value): Value {
  if (Array.isArray(value)) return typeof name === "number" ? value[name] : undefined;
  if (!isObject(value) || typeof name !== "string") return undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

export function valueAt(value: Value, path: Path): Value {
  let current = value;
  for (const name of path) {
    if (current === undefined) return undefined;
    current = property(current, name);
  }
  return current;
}

/** Text that is the same for equal values: the key of DISTINCT and GROUP BY. */
export function canonical(value: Value): string {
  if (value === undefined) return "undefined";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).sort();
  return `{${fields.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/** Sets a property even when it is called `__proto__`. */
export function define(target: JsonObject, name: string, value: Json): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}
