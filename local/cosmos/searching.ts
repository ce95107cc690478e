/** What a container knows for searching: the distance functions and the full-text indexes of its policies. */
import type { Definition } from "./definition.ts";
import { badRequest } from "./errors.ts";
import { pathSegments } from "./indexing.ts";
import type { Item } from "./item.ts";
import { DISTANCE_FUNCTIONS, type DistanceFunction, type Searchable } from "./sql/row.ts";
import { vectorOf } from "./sql/search.ts";
import { type Path, valueAt } from "./sql/values.ts";
import { TextIndex } from "./text-index.ts";

interface Embedding {
  path: string;
  distanceFunction?: string;
}

export class Searching implements Searchable {
  readonly #items: () => Iterable<Item>;
  #distances = new Map<string, DistanceFunction>();
  #vectorPaths: Path[] = [];
  #indexedVectorPaths: Path[] = [];
  /** Built with every write: at the first search of a large container it would hold up all requests. */
  #texts = new Map<string, { path: Path; index: TextIndex }>();

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
    const { vectorIndexes = [] } = Object(indexingPolicy) as { vectorIndexes?: { path: string }[] };
    this.#vectorPaths = vectorEmbeddings.map(({ path }) => pathSegments(path));
    this.#indexedVectorPaths = vectorIndexes.map(({ path }) => pathSegments(path));
    const { fullTextPaths = [] } = Object(fullTextPolicy) as { fullTextPaths?: { path: string }[] };
    const paths = fullTextPaths.map(({ path }) => pathSegments(path));
    this.#texts = new Map(
      paths.map((path) => {
        const name = nameOf(path);
        return [name, this.#texts.get(name) ?? { path, index: new TextIndex(path, this.#items()) }];
      }),
    );
  }

  distanceFunction(path: Path): DistanceFunction | undefined {
    // Asked for every item: nearly always it is a property of the item itself.
    const [name = ""] = path;
    return this.#distances.get(path.length === 1 ? name : nameOf(path));
  }

  /** Throws 400 if the container's policy has no full text at this path. */
  fullText(path: Path): TextIndex {
    const text = this.#texts.get(nameOf(path));
    if (text) return text.index;
    throw badRequest(`FullTextScore needs a full-text policy of the container for the path '/${nameOf(path)}'.`);
  }

  /** Numbers in the item's vectors and characters in its texts that are indexed, for its price. */
  indexed(body: Item["body"]): { numbers: number; characters: number } {
    let [numbers, characters] = [0, 0];
    for (const path of this.#indexedVectorPaths) {
      const vector = valueAt(body, path);
      if (Array.isArray(vector)) numbers += vector.length;
    }
    for (const { path } of this.#texts.values()) {
      const text = valueAt(body, path);
      if (typeof text === "string") characters += text.length;
    }
    return { numbers, characters };
  }

  add(item: Item): void {
    for (const path of this.#vectorPaths) vectorOf(valueAt(item.body, path));
    for (const { index } of this.#texts.values()) index.add(item);
  }

  remove(item: Item): void {
    for (const { index } of this.#texts.values()) index.remove(item);
  }
}

const nameOf = (path: Path) => path.join("/");
