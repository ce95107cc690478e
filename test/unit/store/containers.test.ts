/** The container of vector stores must be made for the vectors that the settings tell of. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import { App } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import type { Log } from "../../../src/log.ts";
import { containersFor, createContainers, STORES } from "../../../src/store/containers.ts";
import { clientFor } from "../../local/cosmos/harness.ts";

let server: CosmosServer;
beforeAll(async () => {
  server = await startCosmos();
});
afterAll(() => server.stop());

interface Start {
  database?: string;
  dimensions?: number;
  creates?: boolean;
}

/** What the app logs as errors when it starts. */
async function startApp({ database = randomUUID(), dimensions = 256, creates = true }: Start): Promise<string[]> {
  const errors: string[] = [];
  const ignore = () => {};
  const log: Log = { info: ignore, warn: ignore, error: (message) => void errors.push(message), with: () => log };
  const app = new App(
    readConfig({
      COSMOS_ENDPOINT: server.endpoint,
      COSMOS_KEY: server.key,
      COSMOS_DATABASE: database,
      COSMOS_CREATE_CONTAINERS: String(creates),
      EMBEDDING_DIMENSIONS: String(dimensions),
      ServiceBusConnection: "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k",
      MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    }),
    log,
  );
  try {
    await app.prepare();
  } finally {
    await app.close();
  }
  return errors;
}

test("a start with other dimensions than the container has is refused, with both numbers", async () => {
  const database = randomUUID();
  expect(await startApp({ database, dimensions: 384 })).toEqual([]);
  expect(await startApp({ database, dimensions: 384 })).toEqual([]);
  await expect(startApp({ database })).rejects.toThrow(
    "EMBEDDING_DIMENSIONS is 256, but the container stores is made for vectors of 384 dimensions. Set it to 384.",
  );
});

test("a container without vectors is refused", async () => {
  const client = clientFor(server.endpoint);
  const { database } = await client.databases.create({ id: randomUUID() });
  const partitionKey = { paths: ["/pk"] };
  for (const { id = "" } of containersFor(256)) await database.containers.create({ id, partitionKey });
  await expect(startApp({ database: database.id })).rejects.toThrow("The container stores has no policy for vectors.");
  client.dispose();
});

test("without the container the app starts and says so: as after an upgrade", async () => {
  const client = clientFor(server.endpoint);
  const database = client.database(randomUUID());
  await createContainers(database);
  await database.container(STORES).delete();
  expect(await startApp({ database: database.id, creates: false })).toEqual([
    expect.stringContaining("There is no container stores, so vector stores do not work"),
  ]);
  client.dispose();
});
