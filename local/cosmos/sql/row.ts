/** What expressions of a query are evaluated against. */
import type { Json, JsonObject, Path, Value } from "./values.ts";

export type Parameters = ReadonlyMap<string, Json>;

/** The value of each alias, the query's parameters, the group's rows, and the container that the items are in. */
export interface Row {
  slots: Value[];
  parameters: Parameters;
  group?: Row[];
  container?: Searchable | undefined;
}

export type Evaluate = (row: Row) => Value;

export const DISTANCE_FUNCTIONS = ["cosine", "dotproduct", "euclidean"] as const;
export type DistanceFunction = (typeof DISTANCE_FUNCTIONS)[number];

/** What functions of vectors and full text need to know beside the item. */
export interface Searchable {
  /** By the container's policy; undefined if it has none for this path. */
  distanceFunction(path: Path): DistanceFunction | undefined;
  fullText(path: Path): FullText;
}

/** What BM25 knows of all documents together. */
export interface TextStatistics {
  documents: number;
  words: number;
  /** for each term, in how many documents it is */
  hits: number[];
}

/** The texts at one path of a container. */
export interface FullText {
  /** The score of each item for these terms; undefined for an item without a text. */
  scores(terms: string[], statistics: TextStatistics): (body: JsonObject) => number | undefined;
}
