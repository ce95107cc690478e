import { createHmac, randomUUID } from "node:crypto";
import { type Container, type ContainerDefinition, CosmosClient, type CosmosClientOptions } from "@azure/cosmos";
import { type CosmosOptions, type CosmosServer, KEY, startCosmos } from "../../../local/cosmos/server.ts";

/** The real client, with its own retries off: a test wants to see the first answer. */
export function clientFor(endpoint: string, options: Partial<CosmosClientOptions> = {}): CosmosClient {
  return new CosmosClient({
    endpoint,
    key: KEY,
    connectionPolicy: {
      enableEndpointDiscovery: false,
      requestTimeout: 5000,
      retryOptions: { maxRetryAttemptCount: 0, fixedRetryIntervalInMilliseconds: 0, maxWaitTimeInSeconds: 0 },
    },
    ...options,
  });
}

export interface World {
  server: CosmosServer;
  client: CosmosClient;
  /** A container of its own for each test, partitioned by /pk. */
  container(definition?: Partial<ContainerDefinition>, throughput?: number): Promise<Container>;
  stop(): Promise<void>;
}

export async function startWorld(options: CosmosOptions = {}): Promise<World> {
  const server = await startCosmos(options);
  const client = clientFor(server.endpoint);
  const { database } = await client.databases.createIfNotExists({ id: "tests" });
  return {
    server,
    client,
    async container(definition = {}, throughput) {
      const { container } = await database.containers.create({
        id: randomUUID(),
        partitionKey: { paths: ["/pk"] },
        ...definition,
        ...(throughput !== undefined && { throughput }),
      });
      return container;
    },
    async stop() {
      client.dispose();
      await server.stop();
    },
  };
}

/** The HTTP status that a call of the SDK fails with; a call that works is a failed test. */
export async function failure(call: Promise<unknown>): Promise<{ code: unknown; message: string }> {
  try {
    await call;
  } catch (error) {
    const { code, message } = error as { code: unknown; message: string };
    return { code, message };
  }
  throw new Error("The call succeeded.");
}

/** Waits until the condition holds; throws after five seconds. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 5000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("The condition did not come true within 5 s.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * One signed request, as the SDK would send it but without what the SDK does around it: retries, merging, caches. `link`
 * is the resource that the path is in, such as `dbs/tests/colls/c`.
 */
export async function postOnce(
  { endpoint, key }: CosmosServer,
  link: string,
  {
    headers = {},
    body,
    signal = null,
  }: { headers?: Record<string, string>; body: object; signal?: AbortSignal | null },
): Promise<Response> {
  const date = new Date().toUTCString();
  const text = `post\ndocs\n${link}\n${date.toLowerCase()}\n\n`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
  return fetch(`${endpoint}/${link}/docs`, {
    method: "POST",
    headers: {
      authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
      "x-ms-date": date,
      ...headers,
    },
    body: JSON.stringify(body),
    signal,
  });
}
