import { ServiceBusClient, type ServiceBusMessage } from "@azure/service-bus";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { type HostProcess, startHostProcess, until } from "./host-process.ts";

const queues = [
  { name: "jobs", lockDuration: 30_000, maxDeliveryCount: 3 },
  { name: "short", lockDuration: 1000, maxDeliveryCount: 10 },
  // Shorter than the messages that pass by take, longer than a loaded machine stands still.
  { name: "many", lockDuration: 5000, maxDeliveryCount: 10 },
  ...["batches", "manual", "bytes", "together"].map((name) => ({ name, lockDuration: 30_000, maxDeliveryCount: 10 })),
];

interface WorkEntry {
  message?: { id: number };
  done?: { id: number };
  metadata?: Record<string, unknown>;
}

async function seen<T>(host: HostProcess, name: string): Promise<T[]> {
  return (await (await fetch(`${host.url}/seen/${name}`)).json()) as T[];
}

async function send(client: ServiceBusClient, queue: string, messages: ServiceBusMessage | ServiceBusMessage[]) {
  const sender = client.createSender(queue);
  await sender.sendMessages(messages);
  await sender.close();
}

/** The messages of a queue that are not completed, those under lock too. */
function left(broker: ServiceBusBroker, queue: string): number | undefined {
  return broker.entity(queue)?.messages.size;
}

describe("Service Bus functions", () => {
  let broker: ServiceBusBroker;
  let client: ServiceBusClient;
  let host: HostProcess;

  const workOf = async (id: number) =>
    (await seen<WorkEntry>(host, "work")).filter((entry) => (entry.message ?? entry.done)?.id === id);
  const finished = (id: number) => until(async () => (await workOf(id)).some((entry) => entry.done));

  beforeAll(async () => {
    broker = await new ServiceBusBroker({ queues }).start();
    client = new ServiceBusClient(broker.connectionString());
    host = await startHostProcess("jobs", { env: { BUS: broker.connectionString(), WORK_QUEUE: "jobs" } });
  });
  afterAll(async () => {
    expect(await host.stop()).toBe(0);
    await client.close();
    await broker.stop();
  });

  it("get the body as an object and the message's properties as metadata, and complete it", async () => {
    await send(client, "jobs", {
      body: { id: 1 },
      messageId: "first",
      correlationId: "together",
      subject: "greeting",
      applicationProperties: { TraceId: "abc" },
    });
    await finished(1);
    const [entry] = await workOf(1);
    expect(entry?.metadata).toMatchObject({
      deliveryCount: 1,
      messageId: "first",
      correlationId: "together",
      subject: "greeting",
      applicationProperties: { traceId: "abc" },
      sequenceNumber: expect.any(Number),
      lockToken: expect.any(String),
      enqueuedTimeUtc: expect.any(String),
    });
    await until(() => left(broker, "jobs") === 0);
  });

  it("get a message again when they throw, with a higher delivery count", async () => {
    await send(client, "jobs", { body: { id: 2, fail: 1 } });
    await finished(2);
    const counts = (await workOf(2)).flatMap((entry) => entry.metadata?.deliveryCount ?? []);
    expect(counts).toEqual([1, 2]);
    expect(host.output()).toMatch(/error work failed on message \w+: Error: no luck today/);
  });

  it("find a message in the dead-letter queue after its last delivery", async () => {
    await send(client, "jobs", { body: { id: 3, fail: 99 }, messageId: "doomed" });
    const [poison] = await until(async () => {
      const entries = await seen<WorkEntry>(host, "poison");
      return entries.length > 0 && entries;
    });
    expect(poison).toMatchObject({ message: { id: 3 }, metadata: { messageId: "doomed" } });
    expect(poison?.metadata?.applicationProperties).toMatchObject({ deadLetterReason: "MaxDeliveryCountExceeded" });
    expect((await workOf(3)).map((entry) => entry.metadata?.deliveryCount)).toEqual([1, 2, 3]);
    await until(() => left(broker, "jobs/$DeadLetterQueue") === 0);
  });

  it("of cardinality many get arrays, and complete all of them", async () => {
    await send(
      client,
      "batches",
      [1, 2, 3].map((id) => ({ body: { id }, messageId: `m${id}` })),
    );
    const batches = await until(async () => {
      const all = await seen<{ messages: { id: number }[]; ids: string[] }>(host, "batches");
      return all.flatMap((batch) => batch.messages).length === 3 && all;
    });
    expect(batches.flatMap((batch) => batch.messages)).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect(batches.flatMap((batch) => batch.ids)).toEqual(["m1", "m2", "m3"]);
    await until(() => left(broker, "batches") === 0);
  });

  it("leave messages alone when they complete them by themselves", async () => {
    await send(client, "manual", { body: "mine" });
    await until(async () => (await seen(host, "manual")).length === 1);
    expect(left(broker, "manual")).toBe(1);
  });

  it("get a body that is no JSON as text", async () => {
    await send(client, "bytes", { body: Buffer.from("grüße") });
    await until(async () => (await seen(host, "bytes"))[0] === "grüße");
  });

  it("run by hand through the admin API", async () => {
    const response = await fetch(`${host.url}/admin/functions/work`, {
      method: "POST",
      body: JSON.stringify({ input: { id: 4 } }),
    });
    expect(response.status).toBe(202);
    await finished(4);
  });

  // rhea would send the outcome of the first settlement for its neighbours of the same turn too, and lose messages.
  it("lose and repeat nothing when many handlers end in the same moment with different outcomes", async () => {
    const numbers = Array.from({ length: 24 }, (_, number) => number);
    await send(
      client,
      "together",
      numbers.map((number) => ({ body: { number } })),
    );
    await until(() => left(broker, "together") === 0);
    expect((await seen<number>(host, "together")).toSorted((a, b) => a - b)).toEqual(numbers);
  });

  it("go on while others are held, however many messages pass by, and hold no more than maxConcurrentCalls", async () => {
    const [HELD, PASSING] = [2, 2200];
    const most = sampleLargest(() => broker.entity("many")?.locks.size ?? 0);
    const bodies = Array.from({ length: HELD + PASSING }, (_, number) => ({ number, hold: number % 1500 === 0 }));
    for (let at = 0; at < bodies.length; at += 500) {
      await send(
        client,
        "many",
        bodies.slice(at, at + 500).map((body) => ({ body })),
      );
    }
    await until(() => left(broker, "many") === HELD, 20_000);
    await fetch(`${host.url}/release`);
    await until(() => left(broker, "many") === 0);
    const processed = await seen<{ number: number; deliveryCount: number }>(host, "many");
    expect(processed.filter(({ deliveryCount }) => deliveryCount !== 1)).toEqual([]);
    expect(new Set(processed.map(({ number }) => number)).size).toBe(bodies.length);
    expect(most()).toBeLessThanOrEqual(32);
  });

  it("are listed with their queues", async () => {
    const listed = await (await fetch(`${host.url}/admin/functions`)).json();
    expect(listed).toContainEqual({ name: "work", trigger: "serviceBusTrigger", queue: "jobs" });
  });
});

/** Settings of this name go before those of host.json. */
const SERVICE_BUS = "AzureFunctionsJobHost__extensions__serviceBus__";

describe("a host with Service Bus functions", () => {
  it("keeps the lock of a message for as long as its handler runs", async () => {
    await withHost("short", async ({ broker, client, host }) => {
      await send(client, "short", { body: { id: 1, sleep: 2200 } });
      await until(async () => (await seen<WorkEntry>(host, "work")).some((entry) => entry.done));
      await until(() => left(broker, "short") === 0);
      expect(await seen<WorkEntry>(host, "work")).toHaveLength(2);
    });
  });

  it("says once of a lock that it was lost, and keeps that of the next delivery, whose message has the same id", async () => {
    await withHost("short", async ({ broker, client, host }) => {
      broker.faults.replace([{ fault: "expire-lock", rate: 1, times: 1, ms: 200 }]);
      await send(client, "short", { body: { id: 1, sleep: [1500, 4000] }, messageId: "twice" });
      await until(() => left(broker, "short") === 0);
      const deliveries = (await seen<WorkEntry>(host, "work")).flatMap(({ metadata }) => metadata?.deliveryCount ?? []);
      expect(deliveries).toEqual([1, 2]);
      expect(host.output().match(/lost the lock of message twice/g)).toHaveLength(1);
      expect(host.output().match(/ warning work /g)).toHaveLength(1);
    });
  });

  it("works on maxConcurrentCalls messages at a time, and holds prefetchCount more", async () => {
    const settings = { [`${SERVICE_BUS}maxConcurrentCalls`]: "1", [`${SERVICE_BUS}prefetchCount`]: "2" };
    const check = async ({ broker, client, host }: Surroundings) => {
      await send(
        client,
        "jobs",
        [1, 2, 3, 4].map((id) => ({ body: { id, sleep: 300 } })),
      );
      await until(() => broker.entity("jobs")?.locks.size === 3);
      expect(await seen<WorkEntry>(host, "work")).toHaveLength(1);
      await until(() => left(broker, "jobs") === 0);
      const order = (await seen<WorkEntry>(host, "work")).map(({ message, done }) => (message ?? done)?.id);
      expect(order).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    };
    await withHost("jobs", check, settings);
  });

  it("renews a lock no longer than maxAutoLockRenewalDuration", async () => {
    const settings = { [`${SERVICE_BUS}maxAutoLockRenewalDuration`]: "00:00:01" };
    const check = async ({ broker, client, host }: Surroundings) => {
      await send(client, "short", { body: { id: 1, sleep: [60_000, 0] } });
      await until(() => left(broker, "short") === 0);
      const deliveries = (await seen<WorkEntry>(host, "work")).flatMap(({ metadata }) => metadata?.deliveryCount ?? []);
      expect(deliveries).toEqual([1, 2]);
    };
    await withHost("short", check, settings, ["--grace", "0.1"]);
  });

  it("survives a restart of the broker within seconds, and complains once", async () => {
    await withHost("jobs", async ({ broker, host }) => {
      const port = broker.port;
      await broker.stop();
      await until(() => /warning work .*keeps trying/.test(host.output()));
      const successor = await new ServiceBusBroker({ queues, port }).start();
      const client = new ServiceBusClient(successor.connectionString());
      await send(client, "jobs", { body: { id: 1 } });
      await until(async () => (await seen<WorkEntry>(host, "work")).some((entry) => entry.done), 4000);
      expect(host.output().match(/warning work /g)).toHaveLength(1);
      await client.close();
      return successor;
    });
  });

  it("lets a handler finish and completes its message before it stops, and takes no other", async () => {
    await withHost("jobs", async ({ client, host }) => {
      await send(client, "jobs", { body: { id: 1, sleep: 500 } });
      await until(async () => (await seen(host, "work")).length === 1);
      const exit = host.stop();
      // Not before it has said so: a message that is sent until then may still be on its way to it, and is worked on.
      await until(() => host.output().includes("takes no more messages"));
      await send(client, "jobs", { body: { id: 2 } });
      expect(await exit).toBe(0);
      const receiver = client.createReceiver("jobs");
      const remaining = await receiver.peekMessages(10);
      expect(remaining.map((message) => message.body)).toEqual([{ id: 2 }]);
      expect(remaining.map((message) => message.deliveryCount)).toEqual([0]);
    });
  });
});

/** Looks at a number until it is asked for the largest that it has seen. */
function sampleLargest(look: () => number): () => number {
  let largest = 0;
  const timer = setInterval(() => {
    largest = Math.max(largest, look());
  }, 1);
  return () => {
    clearInterval(timer);
    return largest;
  };
}

interface Surroundings {
  broker: ServiceBusBroker;
  client: ServiceBusClient;
  host: HostProcess;
}

/** Runs a check with a broker and a host of its own. A check that replaces the broker returns the new one. */
async function withHost(
  queue: string,
  check: (around: Surroundings) => Promise<unknown>,
  settings: Record<string, string> = {},
  args: string[] = [],
) {
  const broker = await new ServiceBusBroker({ queues }).start();
  const client = new ServiceBusClient(broker.connectionString());
  const env = { BUS: broker.connectionString(), WORK_QUEUE: queue, ...settings };
  const host = await startHostProcess("jobs", { args, env });
  let running = broker;
  try {
    const successor = await check({ broker, client, host });
    if (successor instanceof ServiceBusBroker) running = successor;
  } finally {
    expect(await host.stop()).toBe(0);
    await client.close();
    await running.stop();
  }
}
