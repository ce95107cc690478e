/** The Cosmos DB client: how it connects, what it counts, and which of the SDK's requests it spares. */
import {
  type Container,
  CosmosClient,
  type CosmosClientOptions,
  type Database,
  type Plugin,
  type PluginConfig,
  PluginOn,
} from "@azure/cosmos";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";
import { CATALOG, createContainers, THREADS } from "./containers.ts";
import type { CostMeter } from "./cost.ts";
import { signer } from "./master-key.ts";

/** How long one request may take before it counts as lost. Milliseconds. */
const REQUEST_TIMEOUT = 10_000;

export interface Containers {
  threads: Container;
  catalog: Container;
}

export interface CosmosConnection {
  containers: Containers;
  /** Creates what is missing, if the settings say so; else the containers are there already. */
  prepare(): Promise<void>;
  close(): void;
}

export function connectCosmos(config: Config, meter: CostMeter): CosmosConnection {
  const { endpoint, key, database: name, createContainers: create } = config.cosmos;
  const options: CosmosClientOptions & { plugins: PluginConfig[] } = {
    endpoint,
    ...(key === undefined ? { aadCredentials: identity(config) } : { tokenProvider: signer(key) }),
    userAgentSuffix: "threadkeep",
    connectionPolicy: {
      requestTimeout: REQUEST_TIMEOUT,
      // A key and plain http mean the local server, which is its own only region.
      enableEndpointDiscovery: !endpoint.startsWith("http:"),
      retryOptions: { maxRetryAttemptCount: 9, fixedRetryIntervalInMilliseconds: 0, maxWaitTimeInSeconds: 10 },
    },
    plugins: [{ on: PluginOn.request, plugin: onEveryRequest(meter) }],
  };
  const client = new CosmosClient(options);
  const database: Database = client.database(name);
  return {
    containers: { threads: database.container(THREADS), catalog: database.container(CATALOG) },
    prepare: () => (create ? createContainers(database) : Promise.resolve()),
    close: () => client.dispose(),
  };
}

/**
 * Counts every request that leaves the process, with its charge. And spares one: beside every query the SDK asks for a
 * query plan and looks at it only if the query turns out to cross partitions, which one with a partition key cannot.
 */
function onEveryRequest(meter: CostMeter): Plugin<unknown> {
  return async (context, _diagnostics, next) => {
    if ("x-ms-cosmos-is-query-plan-request" in (context.headers ?? {}) && hasPartitionKey(context.options)) {
      // The SDK does not use it. An error instead would go through the SDK's retries.
      return { code: 200, headers: {}, result: {} };
    }
    const operation = `${context.resourceType}.${context.operationType}`;
    try {
      const response = await next(context);
      meter.add(operation, charge(response.headers));
      return response;
    } catch (error) {
      meter.add(operation, charge(error instanceof Object && "headers" in error ? error.headers : undefined));
      throw error;
    }
  };
}

const hasPartitionKey = (options: object | undefined) =>
  options !== undefined && Reflect.get(options, "partitionKey") !== undefined;

/** Request units of an answer, 0 where it does not say. */
function charge(headers: unknown): number {
  if (typeof headers !== "object" || headers === null) return 0;
  const value = Number(Reflect.get(headers, "x-ms-request-charge"));
  return Number.isFinite(value) ? value : 0;
}
