/** Each check of the account notices what it is there for: one thing is wrong, and that check alone says so. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type ContainerDefinition, CosmosClient, PartitionKeyKind } from "@azure/cosmos";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { KEY as COSMOS_KEY, type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import { startControl } from "../../../local/service-bus/control.ts";
import { type QueueOptions, ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { readConfig } from "../../../src/config.ts";
import { CONTAINERS } from "../../../src/store/containers.ts";
import { CHECKS } from "../../../tools/first-hour/checks/all.ts";
import { firstHour } from "../../../tools/first-hour/first-hour.ts";
import { localQueueSettings } from "../../../tools/first-hour/local.ts";
import { Place } from "../../../tools/first-hour/place.ts";
import { putFaults } from "../../faults/inject.ts";

/** Those that look at settings only, and those that need no app. */
const SETTINGS = [1, 2, 3];
const WITHOUT_APP = [...SETTINGS, 5, 6, 7, 8, 9, 10, 12];

const MINUTE = 60_000;
const GOOD_QUEUE = { lockDuration: 30_000, maxDeliveryCount: 10, dupWindow: MINUTE, defaultTtl: 1440 * MINUTE };

let cosmos: CosmosServer;
let client: CosmosClient;
let databases = 0;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  cosmos = await startCosmos();
  client = new CosmosClient({ endpoint: cosmos.endpoint, key: COSMOS_KEY });
});
afterEach(async () => {
  await putFaults(cosmos.endpoint, []);
  await putSettings({ consistency: "strong", lagMs: 0, notModified: "flat" });
  for (const stop of stops.splice(0)) await stop();
});
afterAll(async () => {
  client.dispose();
  await cosmos.stop();
});

async function putSettings(settings: object): Promise<void> {
  const url = new URL("/_local/settings", cosmos.endpoint);
  expect((await fetch(url, { method: "PUT", body: JSON.stringify(settings) })).status).toBe(200);
}

interface Setup {
  /** of the container `threads` */
  threads?: Partial<ContainerDefinition>;
  throughput?: number;
  queue?: QueueOptions;
  only?: number[];
}

/** The numbers of the checks that are not ok in an account that is set up so; nothing must be left there. */
async function failing({ threads = {}, throughput, queue = {}, only = WITHOUT_APP }: Setup): Promise<number[]> {
  const database = await databaseWith(threads, throughput);
  const { controlUrl, connectionString } = await brokerWith(queue);
  const place = new Place({
    config: readConfig({
      COSMOS_ENDPOINT: cosmos.endpoint,
      COSMOS_KEY,
      COSMOS_DATABASE: database,
      ServiceBusConnection: connectionString,
      MODEL_ENDPOINT: "http://127.0.0.1:9/v1",
    }),
    app: { url: "http://127.0.0.1:9/v1", key: "a-key-of-no-app-at-all" },
    model: "none",
    surroundings: { share: 0.1, queueSettings: (name) => localQueueSettings(controlUrl, name) },
  });
  const { rows, left } = await firstHour(CHECKS, place, { write: true, only });
  expect(rows.map(({ number }) => number)).toEqual(only);
  await putFaults(cosmos.endpoint, []);
  const ids = await client.database(database).container("threads").items.query("SELECT c.id FROM c").fetchAll();
  expect({ left, documents: ids.resources }).toEqual({ left: [], documents: [] });
  return rows.filter(({ ok }) => ok !== "ok").map(({ number }) => number);
}

async function databaseWith(threads: Partial<ContainerDefinition>, throughput: number | undefined): Promise<string> {
  databases += 1;
  const { database } = await client.databases.create({ id: `account-${databases}` });
  for (const definition of CONTAINERS) {
    const changed = definition.id === "threads" ? { ...definition, ...threads } : definition;
    // What is undefined is left out, as a set-up by hand does.
    const given = JSON.parse(JSON.stringify(changed)) as ContainerDefinition;
    await database.containers.create({ ...given, ...(throughput !== undefined && { throughput }) });
  }
  return database.id;
}

async function brokerWith(settings: QueueOptions): Promise<{ controlUrl: string; connectionString: string }> {
  const queues = ["runs", "runs-overflow"].map((name) => ({ name, ...GOOD_QUEUE, ...(name === "runs" && settings) }));
  const broker = await new ServiceBusBroker({ queues }).start();
  const control: Server = await startControl(broker, 0);
  stops.push(async () => {
    control.close();
    await broker.stop();
  });
  const { port } = control.address() as AddressInfo;
  return { controlUrl: `http://127.0.0.1:${port}`, connectionString: broker.connectionString() };
}

test("nothing is wrong with an account that is set up as it should be", async () => {
  expect(await failing({})).toEqual([]);
});

test("an account of Session consistency", async () => {
  await putSettings({ consistency: "session", lagMs: 0 });
  expect(await failing({})).toEqual([1]);
});

const { indexingPolicy } = CONTAINERS[0] ?? {};

test.each<[string, Partial<ContainerDefinition>]>([
  ["no time to live", { defaultTtl: undefined } as object],
  ["a time to live for everything", { defaultTtl: 3600 }],
  ["an index of everything", { indexingPolicy: { includedPaths: [{ path: "/*" }], excludedPaths: [] } }],
])("a container with %s", async (_, threads) => {
  expect(await failing({ threads })).toEqual([2]);
});

test("a container without the index of due times: the sweep scans", async () => {
  const includedPaths = indexingPolicy?.includedPaths?.filter(({ path }) => path !== "/internal/due/?");
  expect(await failing({ threads: { indexingPolicy: { ...indexingPolicy, includedPaths } as object } })).toEqual([
    2, 10,
  ]);
});

test.each<[string, Setup]>([
  [
    "another partition key",
    { threads: { partitionKey: { paths: ["/tenant"], kind: PartitionKeyKind.Hash, version: 2 } } },
  ],
  ["the service's default of 400 RU/s", { throughput: 400 }],
])("a container with %s", async (_, setup) => {
  expect(await failing({ ...setup, only: SETTINGS })).toEqual([2]);
});

test.each<[string, QueueOptions]>([
  ["a lock of a minute", { lockDuration: MINUTE }],
  ["five deliveries", { maxDeliveryCount: 5 }],
  ["no duplicate detection", { dupWindow: 0 }],
  ["a window of ten minutes for duplicates", { dupWindow: 10 * MINUTE }],
  ["a time to live of an hour", { defaultTtl: 60 * MINUTE }],
])("a queue with %s", async (_, queue) => {
  expect(await failing({ queue, only: SETTINGS })).toEqual([3]);
});

test("a look that costs as much as the document", async () => {
  await putSettings({ notModified: "document" });
  expect(await failing({})).toEqual([9]);
});

test("a batch that is refused without a reason", async () => {
  await putFaults(cosmos.endpoint, [{ fault: "449-in-batch", containing: [":patches", "active_run"], times: 2 }]);
  expect(await failing({})).toEqual([5]);
});

test("a writer among many that is answered with 500", async () => {
  await putFaults(cosmos.endpoint, [{ fault: "500", containing: [":contention", "incr"], times: 1 }]);
  expect(await failing({})).toEqual([8]);
});
