/** The app's own parts on a real store and a real queue of this machine; the test plays the host of its worker. */
import { randomUUID } from "node:crypto";
import { ServiceBusClient } from "@azure/service-bus";
import { type CosmosServer, startCosmos } from "../../../local/cosmos/server.ts";
import { ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { App } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import { QUEUE } from "../../../src/jobs/wake-ups.ts";
import type { Engine } from "../../../src/runs/engine.ts";
import { handleWakeUp } from "../../../src/runs/worker.ts";
import type { Partition } from "../../../src/store/partition.ts";
import { storeThread } from "../../../src/threads/create.ts";
import { draftThread } from "../../../src/threads/draft.ts";
import { silentLog } from "../silent-log.ts";

/** Milliseconds. */
const LONGEST_PURGE = 15_000;

export interface World {
  cosmos: CosmosServer;
  queue: ServiceBusBroker;
  app: App;
  engine: Engine;
  /** A thread of a tenant of its own with so many messages. */
  thread(messages: number, content?: string): Promise<StoredThread>;
  /** The body of the next wake-up, which is then gone from the queue; `undefined` if none comes within this time. */
  receive(milliseconds?: number): Promise<unknown>;
  /** Plays the worker until nothing is left of the thread. */
  purge(thread: StoredThread): Promise<void>;
  stop(): Promise<void>;
}

export interface StoredThread {
  tenant: string;
  id: string;
  partition: Partition;
  count(): Promise<number>;
}

/** `endpointOf`: where the app finds the store, if not at its own address. */
export async function startWorld(endpointOf = async (cosmos: CosmosServer) => cosmos.endpoint): Promise<World> {
  const cosmos = await startCosmos();
  const queue = new ServiceBusBroker();
  queue.createQueue(QUEUE, { dupWindow: 60_000 });
  await queue.start();
  const app = new App(
    readConfig({
      COSMOS_ENDPOINT: await endpointOf(cosmos),
      COSMOS_KEY: cosmos.key,
      COSMOS_CREATE_CONTAINERS: "true",
      ServiceBusConnection: queue.connectionString(),
      // Nothing here may ask a model.
      MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    }),
    silentLog,
  );
  await app.prepare();
  const client = new ServiceBusClient(queue.connectionString());
  const receiver = client.createReceiver(QUEUE);
  const receive = async (milliseconds = 5_000): Promise<unknown> => {
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: milliseconds });
    if (message !== undefined) await receiver.completeMessage(message);
    return message?.body;
  };
  return {
    cosmos,
    queue,
    app,
    engine: app.engine,
    async thread(messages, content = "Hi") {
      const tenant = randomUUID();
      const requests = Array.from({ length: messages }, () => ({ role: "user" as const, content }));
      const draft = await draftThread(tenant, { messages: requests }, app.now());
      await storeThread(app.store, tenant, draft.thread, draft.messages, app.now);
      return storedThread(app, tenant, draft.thread.id);
    },
    receive,
    async purge(thread) {
      for (const end = Date.now() + LONGEST_PURGE; (await thread.count()) > 0; ) {
        if (Date.now() > end) throw new Error(`${await thread.count()} documents are left of a deleted thread`);
        const body = await receive();
        if (body !== undefined) await handleWakeUp(app.engine, body);
      }
    },
    async stop() {
      await client.close();
      await app.close();
      await queue.stop();
      await cosmos.stop();
    },
  };
}

export function storedThread(app: App, tenant: string, id: string): StoredThread {
  const partition = app.store.thread(tenant, id);
  return { tenant, id, partition, count: async () => (await partition.ids(100_000)).length };
}
