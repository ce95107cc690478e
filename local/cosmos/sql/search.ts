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
    const [a, b] = [first(row), second(row)];
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return undefined;
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

function distance(by: DistanceFunction, a: Value[], b: Value[]): number | undefined {
  if (by === "cosine") return cosine(a, b);
  const isApart = by === "euclidean";
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) {
    const [x, y] = [a[at], b[at]];
    if (typeof x !== "number" || typeof y !== "number") return undefined;
    sum += isApart ? (x - y) * (x - y) : x * y;
  }
  return isApart ? Math.sqrt(sum) : sum;
}

function cosine(a: Value[], b: Value[]): number | undefined {
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let at = 0; at < a.length; at += 1) {
    const x = a[at];
    const y = b[at];
    if (typeof x !== "number" || typeof y !== "number") return undefined;
    product += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  const result = product / Math.sqrt(squaresA * squaresB);
  return Number.isFinite(result) ? result : undefined;
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
