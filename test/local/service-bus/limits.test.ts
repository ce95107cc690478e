import { once } from "node:events";
import type { ServiceBusError } from "@azure/service-bus";
import rhea from "rhea";
import { expect, test } from "vitest";
import { connect, connectionStringOf, startBroker, startBrokerProcess, until } from "./support.ts";

const RETRY = { maxRetries: 20, retryDelayInMs: 20, timeoutInMs: 1000 };

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "no error",
    (error: ServiceBusError) => error.code,
  );

test("a namespace of the Standard tier takes 256 KB a message and a batch, one of the Premium tier 1 MB", async () => {
  for (const [tier, size] of [
    ["standard", 256 * 1024],
    ["premium", 1024 * 1024],
  ] as const) {
    const broker = await startBroker({ queues: [{ name: "orders" }], tier });
    const sender = connect(broker.connectionString()).createSender("orders");
    expect((await sender.createMessageBatch()).maxSizeInBytes).toBe(size);
    expect(await codeOf(sender.sendMessages({ body: Buffer.alloc(size) }))).toBe("MessageSizeExceeded");
    await sender.sendMessages({ body: Buffer.alloc(size - 1024) });
  }
});

test("the command line starts a Standard namespace", async () => {
  const { port } = await startBrokerProcess();
  const sender = connect(connectionStringOf(port)).createSender("runs");
  expect((await sender.createMessageBatch()).maxSizeInBytes).toBe(256 * 1024);
});

test("a sender whose link was ended for being unused opens another and goes on", async () => {
  const broker = await startBroker({ queues: [{ name: "orders" }], idleLimits: { link: 150, connection: 60_000 } });
  const sender = connect(broker.connectionString(), RETRY).createSender("orders");
  await sender.sendMessages({ body: 1 });
  const links = () => [...broker.connections].flatMap((each) => each.linkCount).reduce((sum, count) => sum + count, 0);
  expect(links()).toBeGreaterThan(0);
  await until(() => links() === 0);
  await sender.sendMessages({ body: 2 });
  expect(broker.entity("orders")?.counts().active).toBe(2);
});

test("a subscription on which nothing comes loses its link too, opens another, and takes the next message", async () => {
  const broker = await startBroker({ queues: [{ name: "orders" }], idleLimits: { link: 150, connection: 60_000 } });
  const client = connect(broker.connectionString(), RETRY);
  const seen: unknown[] = [];
  client.createReceiver("orders").subscribe({
    processMessage: async ({ body }) => void seen.push(body),
    processError: async () => {},
  });
  const queue = broker.entity("orders");
  await until(() => queue?.consumers.length === 1);
  const [first] = queue?.consumers ?? [];
  await until(() => queue?.consumers.length === 1 && queue.consumers[0] !== first);
  await client.createSender("orders").sendMessages({ body: 1 });
  await until(() => seen.length === 1);
});

test("a connection without links is closed, and told why", async () => {
  const broker = await startBroker({ idleLimits: { link: 60_000, connection: 100 } });
  const connection = rhea.create_container().connect({ host: "127.0.0.1", port: broker.port, reconnect: false });
  connection.on("connection_error", () => {});
  await once(connection, "connection_close");
  expect(connection.error).toMatchObject({ condition: "amqp:connection:forced" });
  await until(() => broker.connections.size === 0);
});
