/** Clients that write all the time, and note what they were told. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, OperationInput } from "@azure/cosmos";
import { ServiceBusClient, type ServiceBusReceiver } from "@azure/service-bus";
import { clientFor } from "../cosmos/harness.ts";
import { connectionStringOf } from "../service-bus/support.ts";
import { Ledger } from "./ledger.ts";

/** Of a store, while one process of its server runs. */
export interface Session {
  /** Writes until the server is gone or `stop` is called. */
  write(): void;
  stop(): Promise<void>;
  /** What is wrong with the store, as a line each. */
  verify(): Promise<string[]>;
}

const LANES = 4;
const ITEMS_PER_LANE = 6;
const QUEUE = "runs";
const MAX_MESSAGES = 300;
/** Sometimes longer than a page of the disk, so that a full disk cuts lines. */
const pad = (random: () => number) => "x".repeat(Math.floor(random() * 9_000));

export class CosmosClients {
  readonly ledger = new Ledger<number>();
  readonly #random: () => number;
  #number = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  async connect(port: number): Promise<Session> {
    const client = clientFor(`http://127.0.0.1:${port}`);
    const { database } = await client.databases.createIfNotExists({ id: "d" });
    const definition = { id: "c", partitionKey: { paths: ["/pk"] } };
    const { container } = await database.containers.createIfNotExists(definition);
    let isStopped = false;
    let lanes: Promise<void>[] = [];
    const lane = async (number: number) => {
      while (!isStopped && (await this.#write(container, `lane${number}`))) await sleep(1);
    };
    return {
      write: () => {
        isStopped = false;
        lanes = Array.from({ length: LANES }, (_, number) => lane(number));
      },
      stop: async () => {
        isStopped = true;
        await Promise.all(lanes);
      },
      verify: async () => {
        const query = "SELECT c.id, c.n FROM c";
        const { resources } = await container.items.query<{ id: string; n: number }>(query).fetchAll();
        return this.ledger.compare(new Map(resources.map(({ id, n }) => [id, n])));
      },
    };
  }

  /** One batch of one to three items of a lane. Resolves with false if the answer was lost. */
  async #write(container: Container, lane: string): Promise<boolean> {
    const all = Array.from({ length: ITEMS_PER_LANE }, (_, item) => `${lane}-${item}`);
    const ids = all.filter((id) => !this.ledger.isInDoubt(id) && this.#random() < 0.3).slice(0, 3);
    if (ids.length === 0) return true;
    const operations = ids.map((id): OperationInput => {
      const isDelete = this.ledger.known(id) !== undefined && this.#random() < 0.2;
      const n = ++this.#number;
      this.ledger.begin(id, isDelete ? undefined : n);
      if (isDelete) return { operationType: "Delete", id };
      return { operationType: "Upsert", resourceBody: { id, pk: lane, n, pad: pad(this.#random) } };
    });
    try {
      const { code } = await container.items.batch(operations, lane);
      if (code !== 200) throw new Error(`A batch was answered with ${code}.`);
      for (const id of ids) this.ledger.acknowledge(id);
      return true;
    } catch (error) {
      const isRefused = error instanceof Error && error.message.includes("Service is currently unavailable");
      if (isRefused) for (const id of ids) this.ledger.refuse(id);
      return isRefused;
    }
  }
}

export class ServiceBusClients {
  readonly ledger = new Ledger<"sent">();
  readonly #random: () => number;
  #number = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  async connect(port: number): Promise<Session> {
    const retryOptions = { maxRetries: 0, timeoutInMs: 2_000 };
    const client = new ServiceBusClient(connectionStringOf(port), { retryOptions });
    const sender = client.createSender(QUEUE);
    const receiver = client.createReceiver(QUEUE, { maxAutoLockRenewalDurationInMs: 0 });
    let isStopped = false;
    let lanes: Promise<unknown>[] = [];
    const send = async () => {
      while (!isStopped) {
        // The journal must fit on the disk.
        if (this.ledger.count > MAX_MESSAGES) {
          await sleep(5);
          continue;
        }
        const messageId = `m${++this.#number}`;
        this.ledger.begin(messageId, "sent");
        await sender.sendMessages({ messageId, body: pad(this.#random) });
        this.ledger.acknowledge(messageId);
      }
    };
    return {
      write: () => {
        isStopped = false;
        const working = [send(), send(), this.#complete(receiver, () => isStopped)];
        lanes = working.map((lane) => lane.catch(() => {}));
      },
      stop: async () => {
        isStopped = true;
        // After the death of the broker, a call of the SDK may wait for its own time to be over.
        await Promise.race([Promise.all(lanes), sleep(3_000)]);
        void client.close().catch(() => {});
      },
      verify: async () => {
        const peeker = client.createReceiver(QUEUE);
        const found = await allMessages(peeker);
        await client.close();
        return this.ledger.compare(new Map(found.map((id) => [id, "sent" as const])));
      },
    };
  }

  /** Takes messages out, so that the journal has something to forget. */
  async #complete(receiver: ServiceBusReceiver, isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      for (const message of await receiver.receiveMessages(5, { maxWaitTimeInMs: 200 })) {
        const id = String(message.messageId);
        // Its sender may not have heard yet that it was sent.
        if (this.ledger.isInDoubt(id)) continue;
        this.ledger.begin(id, undefined);
        await receiver.completeMessage(message);
        this.ledger.acknowledge(id);
      }
    }
  }
}

async function allMessages(receiver: ServiceBusReceiver): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await receiver.peekMessages(500);
    if (page.length === 0) return ids;
    ids.push(...page.map(({ messageId }) => String(messageId)));
  }
}
