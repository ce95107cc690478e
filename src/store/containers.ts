/**
 * The containers and what they index. Only what is queried is indexed: an excluded path costs no request units on a
 * write. Locally the app creates them itself (COSMOS_CREATE_CONTAINERS).
 */
import {
  type ContainerDefinition,
  type Database,
  PartitionKeyKind,
  VectorEmbeddingDataType,
  VectorEmbeddingDistanceFunction,
  VectorIndexType,
} from "@azure/cosmos";
import { DEFAULT_DIMENSIONS } from "../config.ts";

/** Threads with their messages, runs and steps: one logical partition a thread. */
export const THREADS = "threads";
/** What a tenant owns beside threads: assistants and files. One logical partition a tenant. */
export const CATALOG = "catalog";
/** Vector stores with their files, batches and chunks: one logical partition a vector store. */
export const STORES = "stores";

function container(id: string, indexed: string[]) {
  return {
    id,
    partitionKey: { paths: ["/pk"], kind: PartitionKeyKind.Hash, version: 2 },
    // Items expire only if they say so themselves.
    defaultTtl: -1,
    indexingPolicy: {
      automatic: true,
      indexingMode: "consistent",
      includedPaths: indexed.map((path) => ({ path })),
      excludedPaths: [{ path: "/*" }],
    },
  } satisfies ContainerDefinition;
}

/** Azure changes neither the vectors' size nor their index once the container is there. */
function storesContainer(dimensions: number): ContainerDefinition {
  const paths = ["/internal/sort/?", "/internal/status_sort/?", "/internal/due/?", "/file_id/?", "/attributes/*"];
  const { indexingPolicy, ...rest } = container(STORES, paths);
  const path = "/vector";
  const dataType = VectorEmbeddingDataType.Float32;
  const distanceFunction = VectorEmbeddingDistanceFunction.Cosine;
  return {
    ...rest,
    indexingPolicy: {
      ...indexingPolicy,
      // A vector that is indexed like other properties, too, costs many request units for each write.
      excludedPaths: [...indexingPolicy.excludedPaths, { path: `${path}/*` }],
      // With the shard key, each vector store has an index of its own.
      vectorIndexes: [{ path, type: VectorIndexType.DiskANN, vectorIndexShardKey: ["/pk"] }],
      fullTextIndexes: [{ path: "/text" }],
    },
    vectorEmbeddingPolicy: { vectorEmbeddings: [{ path, dataType, distanceFunction, dimensions }] },
    fullTextPolicy: { defaultLanguage: "en-US", fullTextPaths: [{ path: "/text", language: "en-US" }] },
  };
}

/** The containers with vectors of so many dimensions. */
export const containersFor = (dimensions: number): ContainerDefinition[] => [
  container(THREADS, ["/internal/sort/?", "/internal/due/?", "/run_id/?"]),
  container(CATALOG, ["/internal/sort/?", "/internal/purpose_sort/?", "/internal/due/?"]),
  storesContainer(dimensions),
];

export const CONTAINERS = containersFor(DEFAULT_DIMENSIONS);

export async function createContainers(database: Database, dimensions = DEFAULT_DIMENSIONS): Promise<void> {
  await database.client.databases.createIfNotExists({ id: database.id });
  for (const definition of containersFor(dimensions)) await database.containers.createIfNotExists(definition);
}

/** What is wrong with the vectors of the container `stores` as it is in the account; undefined if nothing is. */
export function vectorProblem(found: ContainerDefinition, dimensions: number): string | undefined {
  const vectors = found.vectorEmbeddingPolicy?.vectorEmbeddings ?? [];
  const size = vectors.find(({ path }) => path === "/vector")?.dimensions;
  if (size === dimensions) return undefined;
  if (size === undefined) return `The container ${STORES} has no policy for vectors. ${AGAIN}`;
  return (
    `EMBEDDING_DIMENSIONS is ${dimensions}, but the container ${STORES} is made for vectors of ${size} dimensions. ` +
    `Set it to ${size}. For another size: ${AGAIN}`
  );
}

const AGAIN =
  `Azure cannot change that in a container: delete ${STORES}, with all vector stores in it, and create it again ` +
  "(docs/operations.md, Vector stores).";
