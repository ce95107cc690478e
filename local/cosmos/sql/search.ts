/** Functions of vectors and of full text. */
import { wordsOf } from "../../text/words.ts";
import { badRequest } from "../errors.ts";
import {
  DISTANCE_FUNCTIONS,
  type DistanceFunction,
  type Evaluate,
  type Parameters,
  type TextStatistics,
} from "./row.ts";
import { isObject, type JsonObject, type Path, property, type Value } from "./values.ts";

/** A call of one of these functions: its arguments, the first of which is a property of the container's item. */
export interface SearchCall {
  name: string;
  /** of the first argument; undefined if that is no property of the item */
  path: Path | undefined;
  args: Evaluate[];
  /** the container's item */
  root: Evaluate;
}

/** Names as a call has them: upper case. Those with an underscore are what rewritten queries of plans call. */
const SEARCH_FUNCTIONS = new Map<string, (call: SearchCall) => Evaluate>([
  ["VECTORDISTANCE", vectorDistance],
  ["_VECTORSCORE", vectorScore],
  ["FULLTEXTCONTAINS", contains((holds, phrases) => holds(phrases[0] ?? ""))],
  ["FULLTEXTCONTAINSALL", contains((holds, phrases) => phrases.every(holds))],
  ["FULLTEXTCONTAINSANY", contains((holds, phrases) => phrases.some(holds))],
  ["_FULLTEXTSCORE", fullTextScore],
  ["FULLTEXTSCORE", onlyInRank],
  ["RRF", onlyInRank],
]);

export const isSearchFunction = (name: string) => SEARCH_FUNCTIONS.has(name);

/** Throws 400 for what may not be called so. */
export function searchFunction(call: SearchCall): Evaluate {
  const make = SEARCH_FUNCTIONS.get(call.name);
  if (make === undefined) throw badRequest(`'${call.name}' is not a recognized built-in function name.`);
  return make(call);
}

function onlyInRank({ name }: SearchCall): never {
  const written = name === "RRF" ? "RRF" : "FullTextScore";
  throw badRequest(`The ${written} function is only allowed in the ORDER BY RANK clause.`);
}

/** Of two vectors; undefined unless both are arrays of so many numbers. */
function vectorDistance({ name, path, args }: SearchCall): Evaluate {
  const [first, second, , options] = args;
  if (first === undefined || second === undefined || args.length > 4) {
    throw badRequest(`The ${name} function requires 2 to 4 argument(s), not ${args.length}.`);
  }
  return (row) => {
    const [a, b] = [vectorOf(first(row)), vectorOf(second(row))];
    if (a === undefined || b === undefined || a.floats.length !== b.floats.length) return undefined;
    const chosen = options === undefined ? undefined : distanceOption(options(row));
    return distance(chosen ?? (path && row.container?.distanceFunction(path)) ?? "cosine", a, b);
  };
}

function distanceOption(options: Value): DistanceFunction | undefined {
  const given = isObject(options) ? property(options, "distanceFunction") : undefined;
  if (given === undefined) return undefined;
  const found = DISTANCE_FUNCTIONS.find((name) => name === String(given).toLowerCase());
  if (found === undefined) throw badRequest(`The distance function '${String(given)}' is not known.`);
  return found;
}

/** With the precision of the service's vectors, and its length. */
export interface Vector {
  floats: Float32Array;
  length: number;
}

/**
 * Every search looks at every vector, and arrays of JSON are slow: so each carries its vector, where JSON does not show it.
 * They never change. A WeakMap would take longer than the product itself.
 */
const VECTOR = Symbol("vector");

interface MaybeVector extends Array<Value> {
  [VECTOR]?: Vector;
}

/** A container asks when an item is written: the first search of many would hold up all requests. */
export function vectorOf(value: Value): Vector | undefined {
  if (!Array.isArray(value)) return undefined;
  const carrier: MaybeVector = value;
  const known = carrier[VECTOR];
  if (known !== undefined) return known;
  if (!value.every((each) => typeof each === "number")) return undefined;
  const floats = new Float32Array(value);
  const vector = { floats, length: Math.sqrt(product(floats, floats)) };
  Object.defineProperty(carrier, VECTOR, { value: vector });
  return vector;
}

function distance(by: DistanceFunction, a: Vector, b: Vector): number | undefined {
  const dot = product(a.floats, b.floats);
  if (by === "dotproduct") return dot;
  if (by === "euclidean") return Math.sqrt(Math.max(a.length ** 2 + b.length ** 2 - 2 * dot, 0));
  // A vector of zeros has no direction.
  return a.length * b.length === 0 ? undefined : dot / (a.length * b.length);
}

/** Four sums at a time: none of them waits for the one before. Beyond the end there is nothing to add. */
function product(a: Float32Array, b: Float32Array): number {
  let [one, two, three, four] = [0, 0, 0, 0];
  for (let at = 0; at < a.length; at += 4) {
    one += (a[at] ?? 0) * (b[at] ?? 0);
    two += (a[at + 1] ?? 0) * (b[at + 1] ?? 0);
    three += (a[at + 2] ?? 0) * (b[at + 2] ?? 0);
    four += (a[at + 3] ?? 0) * (b[at + 3] ?? 0);
  }
  return one + two + three + four;
}

/** As a score: the higher, the nearer. */
function vectorScore(call: SearchCall): Evaluate {
  const measure = vectorDistance(call);
  return (row) => {
    const value = measure(row);
    const isApart = call.path && row.container?.distanceFunction(call.path) === "euclidean";
    return typeof value === "number" && isApart ? -value : value;
  };
}

type Holds = (phrase: string) => boolean;

/** A phrase of several words is in a text that has them one after the other. */
function contains(judge: (holds: Holds, phrases: string[]) => boolean): (call: SearchCall) => Evaluate {
  return ({ name, args: [text, ...phrases] }) => {
    const least = name === "FULLTEXTCONTAINS" ? phrases.length === 1 : phrases.length > 0;
    if (text === undefined || !least) throw badRequest(`The ${name} function got a wrong number of arguments.`);
    return (row) => {
      const [value, ...wanted] = [text, ...phrases].map((evaluate) => evaluate(row));
      if (typeof value !== "string") return undefined;
      const words = ` ${wordsOf(value).join(" ")} `;
      const holds = (phrase: string) => words.includes(` ${wordsOf(phrase).join(" ")} `) && wordsOf(phrase).length > 0;
      const texts = wanted.filter((phrase) => typeof phrase === "string");
      return texts.length === wanted.length ? judge(holds, texts) : undefined;
    };
  };
}

/** `_FullTextScore(path, [terms], documents, words, [hits])`: BM25 with the statistics that the client put together. */
function fullTextScore({ path, args, root }: SearchCall): Evaluate {
  const [, terms, documents, words, hits] = args;
  if (path === undefined || !terms || !documents || !words || !hits) throw badRequest("_FullTextScore is no function.");
  // One request has one set of parameters: its scores are put together once.
  const known = new WeakMap<Parameters, (body: JsonObject) => number | undefined>();
  return (row) => {
    const item = root(row);
    if (!isObject(item) || row.container === undefined) return undefined;
    let scores = known.get(row.parameters);
    if (scores === undefined) {
      const statistics = { documents: documents(row), words: words(row), hits: hits(row) } as unknown as TextStatistics;
      scores = row.container.fullText(path).scores(textsOf(terms(row)), statistics);
      known.set(row.parameters, scores);
    }
    return scores(item);
  };
}

export function textsOf(terms: Value): string[] {
  if (!Array.isArray(terms) || !terms.every((term) => typeof term === "string")) {
    throw badRequest("The terms of FullTextScore must be strings.");
  }
  return terms;
}
