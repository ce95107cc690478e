import { badRequest } from "./errors.ts";
import type { Path, Value } from "./sql/values.ts";

/** The part of a container's indexing policy that this server acts on; the rest is stored and given back. */
export interface IndexingPolicy {
  indexingMode?: string;
  automatic?: boolean;
  includedPaths?: { path: string }[];
  excludedPaths?: { path: string }[];
  compositeIndexes?: { path: string; order?: string }[][];
}

export interface SortField {
  path: Path;
  descending: boolean;
}

interface Rule {
  segments: string[];
  included: boolean;
  subtree: boolean;
}

/** Splits `/a/"b c"/[]/?` into its names; the end (`?` or `*`) is left to the caller. */
export function pathSegments(path: string): string[] {
  if (!path.startsWith("/")) throw badRequest(`The path '${path}' must start with '/'.`);
  const segments = path.slice(1).match(/"(?:[^"\\]|\\.)*"|[^/]+/g) ?? [];
  return segments.map((segment) => (segment.startsWith('"') ? segment.slice(1, -1) : segment));
}

/**
 * Which leaf paths are indexed: the longest matching rule decides, and a container with mode "none" indexes nothing.
 */
export class Indexing {
  readonly #rules: Rule[];
  readonly #none: boolean;
  readonly #composites: SortField[][];
  readonly #known = new Map<string, boolean>();

  constructor(policy: IndexingPolicy) {
    this.#none = policy.indexingMode?.toLowerCase() === "none";
    this.#rules = [
      ...(policy.includedPaths ?? []).map(({ path }) => rule(path, true)),
      ...(policy.excludedPaths ?? []).map(({ path }) => rule(path, false)),
    ].sort((a, b) => b.segments.length - a.segments.length || Number(a.subtree) - Number(b.subtree));
    this.#composites = (policy.compositeIndexes ?? []).map((fields) =>
      fields.map(({ path, order }) => ({ path: pathSegments(path), descending: order === "descending" })),
    );
  }

  /** Whether the scalar at this path is indexed. Array elements are written `[]`. `id` and `_ts` always are. */
  covers(path: Path): boolean {
    if (this.#none) return false;
    if (path.length === 1 && (path[0] === "id" || path[0] === "_ts")) return true;
    const key = path.join("\0");
    let covered = this.#known.get(key);
    if (covered === undefined) {
      covered = this.#rules.find((candidate) => matches(candidate, path))?.included ?? false;
      // Paths come from data as well, and data may use ids as property names.
      if (this.#known.size > 10_000) this.#known.clear();
      this.#known.set(key, covered);
    }
    return covered;
  }

  /** How many leaves of an item are indexed. */
  count(value: Value, path: string[] = []): number {
    if (this.#none || value === undefined) return 0;
    if (Array.isArray(value)) {
      const inside = [...path, "[]"];
      return value.reduce<number>((sum, element) => sum + this.count(element, inside), 0);
    }
    if (value !== null && typeof value === "object") {
      let sum = 0;
      for (const [name, inner] of Object.entries(value)) sum += this.count(inner, [...path, name]);
      return sum;
    }
    return this.covers(path) ? 1 : 0;
  }

  /** Whether a composite index serves this order, as it is or backwards. */
  servesOrder(order: SortField[]): boolean {
    return this.#composites.some((fields) => {
      if (fields.length !== order.length) return false;
      const pairs = fields.map((field, i) => ({ field, wanted: order[i] }));
      if (!pairs.every(({ field, wanted }) => wanted && samePath(field.path, wanted.path))) return false;
      const flips = new Set(pairs.map(({ field, wanted }) => field.descending !== wanted?.descending));
      return flips.size === 1;
    });
  }
}

export const samePath = (a: Path, b: Path) => a.length === b.length && a.every((name, i) => name === b[i]);

function rule(path: string, included: boolean): Rule {
  const segments = pathSegments(path);
  const end = segments.at(-1);
  const marked = end === "*" || end === "?";
  return { segments: marked ? segments.slice(0, -1) : segments, included, subtree: end === "*" };
}

function matches({ segments, subtree }: Rule, path: Path): boolean {
  if (subtree ? path.length < segments.length : path.length !== segments.length) return false;
  return segments.every((name, i) => name === path[i]);
}
