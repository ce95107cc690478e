/**
 * What a container knows for searching: the distance functions of its policy, and full-text indexes, made at first use.
 */
import type { Definition } from "./definition.ts";
import { pathSegments } from "./indexing.ts";
import type { Item } from "./item.ts";
import { DISTANCE_FUNCTIONS, type DistanceFunction, type Searchable } from "./sql/row.ts";
import { type Path, valueAt } from "./sql/values.ts";
import { TextIndex } from "./text-index.ts";

/** Paths stand in queries, which may be any. */
const MOST_INDEXES = 8;

interface Embedding {
  path: string;
  distanceFunction?: string;
}

export class Searching implements Searchable {
  readonly #items: () => Iterable<Item>;
  readonly #indexes = new Map<string, TextIndex>();
  #distances = new Map<string, DistanceFunction>();
  #textPaths: string[] = [];
  #vectorPaths: Path[] = [];

  constructor(definition: Definition, items: () => Iterable<Item>) {
    this.#items = items;
    this.redefine(definition);
  }

  redefine({ vectorEmbeddingPolicy, fullTextPolicy, indexingPolicy }: Definition): void {
    const { vectorEmbeddings = [] } = Object(vectorEmbeddingPolicy) as { vectorEmbeddings?: Embedding[] };
    this.#distances = new Map(
      vectorEmbeddings.map(({ path, distanceFunction }) => [
        nameOf(pathSegments(path)),
        DISTANCE_FUNCTIONS.find((name) => name === distanceFunction?.toLowerCase()) ?? "cosine",
      ]),
    );
    const { fullTextPaths = [] } = Object(fullTextPolicy) as { fullTextPaths?: { path: string }[] };
    this.#textPaths = fullTextPaths.map(({ path }) => nameOf(pathSegments(path)));
    const { vectorIndexes = [] } = Object(indexingPolicy) as { vectorIndexes?: { path: string }[] };
    this.#vectorPaths = vectorIndexes.map(({ path }) => pathSegments(path));
  }

  distanceFunction(path: Path): DistanceFunction | undefined {
    return this.#distances.get(nameOf(path));
  }

  /** Whether the container's policy has full text at this path. */
  hasFullText(path: Path): boolean {
    return this.#textPaths.includes(nameOf(path));
  }

  fullText(path: Path): TextIndex {
    const name = nameOf(path);
    const known = this.#indexes.get(name);
    if (known) return known;
    if (this.#indexes.size >= MOST_INDEXES) this.#indexes.clear();
    const index = new TextIndex(path, this.#items());
    this.#indexes.set(name, index);
    return index;
  }

  /** Numbers in the item's vectors and characters in its texts that are indexed, for its price. */
  indexed(body: Item["body"]): { numbers: number; characters: number } {
    let [numbers, characters] = [0, 0];
    for (const path of this.#vectorPaths) {
      const vector = valueAt(body, path);
      if (Array.isArray(vector)) numbers += vector.length;
    }
    for (const name of this.#textPaths) {
      const text = valueAt(body, name.split("/"));
      if (typeof text === "string") characters += text.length;
    }
    return { numbers, characters };
  }

  add(item: Item): void {
    for (const index of this.#indexes.values()) index.add(item);
  }

  remove(item: Item): void {
    for (const index of this.#indexes.values()) index.remove(item);
  }
}

const nameOf = (path: Path) => path.join("/");
