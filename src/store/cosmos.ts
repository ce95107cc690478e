/** The Cosmos DB client: how it connects, what it counts, and which of the SDK's requests and retries it spares. */
import {
  type Container,
  CosmosClient,
  type CosmosClientOptions,
  type Plugin,
  type PluginConfig,
  PluginOn,
} from "@azure/cosmos";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";
import { CATALOG, createContainers, STORES, THREADS, vectorProblem } from "./containers.ts";
import type { CostMeter } from "./cost.ts";
import { signer } from "./master-key.ts";
import { inStoreSpan } from "./request-span.ts";
import { RangeGone, type StoreHealth, StoreTrouble, statusOf, troubleOf } from "./trouble.ts";
import { REQUEST_TIMEOUT, THROTTLED_WAIT } from "./waits.ts";

export interface Containers {
  threads: Container;
  catalog: Container;
  stores: Container;
  /**
   * The same again, for queries over several partitions: of a newer client after a split, which knows the new ranges.
   */
  allThreads: Container;
  allStores: Container;
  allCatalogs: Container;
}

export interface CosmosConnection {
  readonly containers: Containers;
  /** Creates what is missing, if the settings say so; else the containers are there already. */
  prepare(): Promise<void>;
  /** The account's default consistency. Throws `StoreTrouble`. */
  readConsistency(): Promise<string>;
  /**
   * What hinders vector stores, if anything does: the container is missing or is for other vectors. Throws
   * `StoreTrouble`.
   */
  readVectorTrouble(): Promise<VectorTrouble | undefined>;
  close(): void;
}

/** `isMissing`: as after an upgrade from a version without vector stores, which all else can live with. */
export interface VectorTrouble {
  message: string;
  isMissing: boolean;
}

export function connectCosmos(config: Config, meter: CostMeter, health: StoreHealth): CosmosConnection {
  return new Connection(config, meter, health);
}

class Connection implements CosmosConnection {
  readonly containers: Containers;
  readonly #config: Config;
  readonly #meter: CostMeter;
  readonly #health: StoreHealth;
  /** The session of this one knows every write of the process, so it stays. */
  readonly #client: CosmosClient;
  /** The one that `allThreads` and `allCatalogs` belong to. */
  #queryClient: CosmosClient;

  constructor(config: Config, meter: CostMeter, health: StoreHealth) {
    this.#config = config;
    this.#meter = meter;
    this.#health = health;
    this.#client = this.#connect();
    this.#queryClient = this.#client;
    const { threads, catalog, stores } = this.#containersOf(this.#client);
    const all = { allThreads: threads, allCatalogs: catalog, allStores: stores };
    this.containers = { threads, catalog, stores, ...all };
  }

  prepare(): Promise<void> {
    const { cosmos, embeddings } = this.#config;
    return cosmos.createContainers
      ? createContainers(this.#client.database(cosmos.database), embeddings.dimensions)
      : Promise.resolve();
  }

  async readConsistency(): Promise<string> {
    const { resource } = await this.#health.answer(this.#client.getDatabaseAccount());
    const level = resource?.consistencyPolicy;
    if (typeof level !== "string") throw this.#health.met(new StoreTrouble("the account tells no consistency"));
    return level;
  }

  async readVectorTrouble(): Promise<VectorTrouble | undefined> {
    try {
      const { resource } = await this.#health.answer(this.containers.stores.read());
      const message = vectorProblem(resource ?? {}, this.#config.embeddings.dimensions);
      return message === undefined ? undefined : { message, isMissing: false };
    } catch (error) {
      if (statusOf(error) === 404) return { message: NO_STORES, isMissing: true };
      throw error;
    }
  }

  close(): void {
    this.#client.dispose();
    this.#queryClient.dispose();
  }

  #containersOf(client: CosmosClient) {
    const database = client.database(this.#config.cosmos.database);
    return {
      threads: database.container(THREADS),
      catalog: database.container(CATALOG),
      stores: database.container(STORES),
    };
  }

  #connect(): CosmosClient {
    const { endpoint, key } = this.#config.cosmos;
    // After a split, only a new client reads again which ranges there are.
    const renew = () => {
      if (this.#queryClient !== client) return;
      this.#queryClient = this.#connect();
      const { threads, catalog, stores } = this.#containersOf(this.#queryClient);
      Object.assign(this.containers, { allThreads: threads, allCatalogs: catalog, allStores: stores });
      if (client !== this.#client) client.dispose();
    };
    const options: CosmosClientOptions & { plugins: PluginConfig[] } = {
      endpoint,
      ...(key === undefined ? { aadCredentials: identity(this.#config) } : { tokenProvider: signer(key) }),
      userAgentSuffix: "threadkeep",
      connectionPolicy: {
        requestTimeout: REQUEST_TIMEOUT,
        // How soon another write region is noticed.
        endpointRefreshRateInMs: 60_000,
        // A key and plain http mean the local server, which is its own only region.
        enableEndpointDiscovery: !endpoint.startsWith("http:"),
        retryOptions: {
          maxRetryAttemptCount: 9,
          fixedRetryIntervalInMilliseconds: 0,
          maxWaitTimeInSeconds: THROTTLED_WAIT / 1_000,
        },
      },
      // The last one is the nearest to the network.
      plugins: [
        { on: PluginOn.request, plugin: sparePlans },
        { on: PluginOn.request, plugin: endRetries(renew) },
        { on: PluginOn.request, plugin: countCosts(this.#meter) },
      ],
    };
    const client: CosmosClient = new CosmosClient(options);
    return client;
  }
}

const NO_STORES =
  `There is no container ${STORES}, so vector stores do not work: create it as src/store/containers.ts has it ` +
  "(docs/operations.md, Vector stores).";

type RequestPlugin = Plugin<unknown>;

/**
 * Beside every query the SDK asks for a query plan, and looks at it only if the query turns out to cross partitions,
 * which one with a partition key cannot: it gets an empty one. A search may need its plan all the same (search.ts).
 */
const sparePlans: RequestPlugin = async (context, _diagnostics, next) => {
  const isPlan = "x-ms-cosmos-is-query-plan-request" in (context.headers ?? {});
  const isSpared = isPlan && hasPartitionKey(context.options) && !SEARCH.test(JSON.stringify(context.body ?? ""));
  // An error instead would go through the SDK's retries.
  return isSpared ? { code: 200, headers: {}, result: {} } : next(context);
};

/** In the text of a query. */
const SEARCH = /ORDER BY (VectorDistance\(|RANK )/;

/**
 * Trouble passes the SDK's own retries by: with endpoint discovery (as over https) it repeats a read that hangs 120
 * times, and for two minutes what finds no host, no connection or no write region; and a read whose session is not
 * available loses its session token on the way. The app tries again itself, within its own time. Only 429 is left to
 * the SDK.
 */
const endRetries =
  (renew: () => void): RequestPlugin =>
  async (context, _diagnostics, next) => {
    try {
      return await next(context);
    } catch (error) {
      const status = statusOf(error);
      if (status === 410 && "x-ms-documentdb-isquery" in (context.headers ?? {})) {
        renew();
        throw new RangeGone(error);
      }
      throw status === 429 ? error : (troubleOf(error) ?? error);
    }
  };

/** Counts every request that leaves the process, with its charge. */
const countCosts =
  (meter: CostMeter): RequestPlugin =>
  async (context, _diagnostics, next) => {
    const operation = `${context.resourceType}.${context.operationType}`;
    let units = 0;
    const send = async () => {
      try {
        const response = await next(context);
        units = charge(response.headers);
        return response;
      } catch (error) {
        units = charge(error instanceof Object && "headers" in error ? error.headers : undefined);
        throw error;
      } finally {
        meter.add(operation, units);
      }
    };
    return inStoreSpan({ operation: context.operationType, path: context.path }, send, () => units);
  };

const hasPartitionKey = (options: object | undefined) =>
  options !== undefined && Reflect.get(options, "partitionKey") !== undefined;

/** Request units of an answer, 0 where it does not say. */
function charge(headers: unknown): number {
  if (typeof headers !== "object" || headers === null) return 0;
  const value = Number(Reflect.get(headers, "x-ms-request-charge"));
  return Number.isFinite(value) ? value : 0;
}
