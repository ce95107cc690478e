/**
 * The containers and what they index. Only what is queried is indexed: an excluded path costs no request units on a
 * write. Locally the app creates them itself (COSMOS_CREATE_CONTAINERS).
 */
import { type ContainerDefinition, type Database, PartitionKeyKind } from "@azure/cosmos";

/** Threads with their messages, runs and steps: one logical partition a thread. */
export const THREADS = "threads";
/** What a tenant owns beside threads: assistants and files. One logical partition a tenant. */
export const CATALOG = "catalog";

function container(id: string, indexed: string[]): ContainerDefinition {
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
  };
}

export const CONTAINERS: ContainerDefinition[] = [
  container(THREADS, ["/internal/sort/?", "/internal/due/?", "/run_id/?"]),
  container(CATALOG, ["/internal/sort/?", "/internal/purpose_sort/?", "/internal/due/?"]),
];

export async function createContainers(database: Database): Promise<void> {
  await database.client.databases.createIfNotExists({ id: database.id });
  for (const definition of CONTAINERS) await database.containers.createIfNotExists(definition);
}
