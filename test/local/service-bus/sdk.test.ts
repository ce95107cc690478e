import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBusError } from "@azure/service-bus";
import rhea from "rhea";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type QueueOptions, ServiceBusBroker } from "../../../local/service-bus/server.ts";
import { connect, only, startBroker, until } from "./support.ts";

const WAIT = { maxWaitTimeInMs: 3000 };
const SHORT_WAIT = { maxWaitTimeInMs: 250 };
const NO_RENEWAL = { maxAutoLockRenewalDurationInMs: 0 };
const RECONNECT = { maxRetries: 20, retryDelayInMs: 20, timeoutInMs: 1000 };

const broker = new ServiceBusBroker({ keys: { RootManageSharedAccessKey: "SAS_KEY_VALUE", second: "another" } });
let queues = 0;

beforeAll(() => broker.start());
afterAll(() => broker.stop());

/** A queue of its own for each test, with a client, a sender and a receiver on it. */
function setUp(settings: QueueOptions = {}) {
  const name = `queue-${++queues}`;
  const queue = broker.createQueue(name, settings);
  const client = connect(broker.connectionString());
  const sender = client.createSender(name);
  const receiver = client.createReceiver(name, NO_RENEWAL);
  const deadLetters = client.createReceiver(name, { subQueueType: "deadLetter" });
  return { name, queue, client, sender, receiver, deadLetters };
}

/** The code of the error that a call fails with. */
async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => "no error",
    (error: ServiceBusError) => error.code,
  );
}

test("a message arrives with its body and all its properties", async () => {
  const { sender, receiver } = setUp();
  const message = {
    body: { runId: "run_1", list: [1, "x", null] },
    messageId: "id-1",
    contentType: "application/json",
    correlationId: "correlation",
    subject: "subject",
    to: "to",
    replyTo: "reply-to",
    timeToLive: 60_000,
    applicationProperties: { text: "ü", integer: -42, fraction: 1.5, flag: true },
  };
  await sender.sendMessages(message);
  const received = only(await receiver.receiveMessages(1, WAIT));
  expect(received).toMatchObject({ ...message, deliveryCount: 0, state: "active" });
  expect(Math.abs((received.enqueuedTimeUtc?.getTime() ?? 0) - Date.now())).toBeLessThan(3000);
});

test("arrays and batches keep their order", async () => {
  const { client, name, sender } = setUp();
  await sender.sendMessages([{ body: 0 }, { body: 1 }]);
  const batch = await sender.createMessageBatch();
  for (let body = 2; body < 30; body++) expect(batch.tryAddMessage({ body })).toBe(true);
  await sender.sendMessages(batch);
  const receiver = client.createReceiver(name, { receiveMode: "receiveAndDelete" });
  const received = await receiver.receiveMessages(30, WAIT);
  expect(received.map(({ body }) => body)).toEqual([...Array(30).keys()]);
});

test("a message of many frames arrives whole; one beyond the limit is refused, and the sender goes on", async () => {
  const { sender, receiver } = setUp({ maxMessageSize: 500_000 });
  const body = Buffer.alloc(400_000, 7);
  expect(await codeOf(sender.sendMessages({ body: Buffer.alloc(600_000) }))).toBe("MessageSizeExceeded");
  await sender.sendMessages({ body });
  expect(body.equals(only(await receiver.receiveMessages(1, WAIT)).body)).toBe(true);
});

test("of parallel sends, exactly the refused one fails", async () => {
  const { queue, sender } = setUp({ maxMessageSize: 1000 });
  await sender.sendMessages({ body: "the link is open now" });
  const sizes = [10, 2000, 10, 2000, 10];
  const results = await Promise.allSettled(sizes.map((size) => sender.sendMessages({ body: "x".repeat(size) })));
  expect(results.map(({ status }) => status === "fulfilled")).toEqual(sizes.map((size) => size === 10));
  expect(queue.counts().active).toBe(4);
});

test("of parallel completions, exactly the one that has lost its lock fails", async () => {
  const { queue, sender, receiver } = setUp();
  await sender.sendMessages([{ body: 0 }, { body: 1 }, { body: 2 }]);
  const messages = await receiver.receiveMessages(3, WAIT);
  queue.settle([...queue.locks.keys()][1] ?? "", "abandon");
  const codes = await Promise.all(messages.map((message) => codeOf(receiver.completeMessage(message))));
  expect(codes).toEqual(["no error", "MessageLockLost", "no error"]);
});

test("every key of the namespace is accepted, a wrong key is not", async () => {
  const { name } = setUp();
  const send = (connectionString: string) =>
    codeOf(connect(connectionString).createSender(name).sendMessages({ body: 1 }));
  expect(await send(broker.connectionString("second"))).toBe("no error");
  expect(await send(broker.connectionString("second", "wrong"))).toBe("UnauthorizedAccess");
  expect(await send(broker.connectionString("unknown", "another"))).toBe("UnauthorizedAccess");
});

test("a client that shows no token at all is refused", async () => {
  const { name } = setUp();
  const connection = rhea.create_container().connect({ host: "127.0.0.1", port: broker.port, reconnect: false });
  const refused = once(connection, "sender_error");
  connection.open_sender(name);
  const [{ sender }] = await refused;
  expect(sender.error.condition).toBe("amqp:unauthorized-access");
  connection.close();
  await once(connection, "connection_close");
});

test("a queue that does not exist is named as such, to senders and receivers", async () => {
  const { client } = setUp();
  expect(await codeOf(client.createSender("nowhere").sendMessages({ body: 1 }))).toBe("MessagingEntityNotFound");
  expect(await codeOf(client.createReceiver("nowhere").receiveMessages(1))).toBe("MessagingEntityNotFound");
});

test("what the broker does not do is refused by name: sessions, topics and subscriptions", async () => {
  const { client, name } = setUp();
  await expect(client.acceptNextSession(name)).rejects.toThrow("Sessions are not supported");
  const subscription = client.createReceiver("topic", "subscription");
  await expect(subscription.receiveMessages(1)).rejects.toThrow("Topics and subscriptions are not supported");
  expect(() => broker.createQueue("sessions", { requiresSession: true })).toThrow("sessions are not supported");
});

test("asking for more messages than there are brings those that are there at once, on a link that stays usable", async () => {
  const { queue, sender, receiver } = setUp();
  await sender.sendMessages({ body: 1 });
  const start = Date.now();
  await receiver.completeMessage(only(await receiver.receiveMessages(10, { maxWaitTimeInMs: 10_000 })));
  expect(Date.now() - start).toBeLessThan(3000);
  const [link] = queue.consumers;
  expect(await receiver.receiveMessages(10, SHORT_WAIT)).toEqual([]);
  await sender.sendMessages([{ body: 2 }, { body: 3 }]);
  expect(await receiver.receiveMessages(2, WAIT)).toHaveLength(2);
  expect(queue.consumers).toHaveLength(1);
  expect(queue.consumers[0]).toBe(link);
});

test("no more messages are delivered than were asked for", async () => {
  const { queue, sender, receiver } = setUp();
  await sender.sendMessages(Array.from({ length: 50 }, (_, body) => ({ body })));
  await receiver.receiveMessages(7, WAIT);
  expect(queue.totals.delivered).toBe(7);
});

test("a subscription handles thousands of messages, each once", async () => {
  const { queue, sender, receiver } = setUp();
  const seen = new Set<number>();
  const subscription = receiver.subscribe(
    { processMessage: async ({ body }) => void seen.add(body), processError: async () => {} },
    { maxConcurrentCalls: 32 },
  );
  const total = 3000;
  for (let from = 0; from < total; from += 500) {
    await sender.sendMessages(Array.from({ length: 500 }, (_, index) => ({ body: from + index })));
  }
  await until(() => queue.totals.completed === total);
  expect(seen.size).toBe(total);
  await subscription.close();
});

test("an abandoned message comes again with the properties that were set", async () => {
  const { sender, receiver } = setUp();
  await sender.sendMessages({ body: 1, applicationProperties: { kept: "yes" } });
  await receiver.abandonMessage(only(await receiver.receiveMessages(1, WAIT)), { attempt: 1 });
  const again = only(await receiver.receiveMessages(1, WAIT));
  expect(again).toMatchObject({ deliveryCount: 1, applicationProperties: { kept: "yes", attempt: 1 } });
});

test("a dead-lettered message lies in the dead-letter queue with its reason until it is completed there", async () => {
  const { queue, sender, receiver, deadLetters } = setUp();
  await sender.sendMessages({ body: 1, messageId: "poison" });
  const message = only(await receiver.receiveMessages(1, WAIT));
  await receiver.deadLetterMessage(message, { deadLetterReason: "bad", deadLetterErrorDescription: "very bad" });
  const dead = only(await deadLetters.receiveMessages(1, WAIT));
  expect(dead).toMatchObject({
    messageId: "poison",
    deadLetterReason: "bad",
    deadLetterErrorDescription: "very bad",
  });
  await deadLetters.completeMessage(dead);
  expect(queue.counts().deadLetter).toBe(0);
});

test("a handler that keeps failing sends its message to the dead-letter queue", async () => {
  const { sender, receiver, deadLetters } = setUp({ maxDeliveryCount: 3 });
  const counts: (number | undefined)[] = [];
  const subscription = receiver.subscribe({
    processMessage: async ({ deliveryCount }) => {
      counts.push(deliveryCount);
      throw new Error("no luck");
    },
    processError: async () => {},
  });
  await sender.sendMessages({ body: 1 });
  const dead = only(await deadLetters.receiveMessages(1, WAIT));
  expect(dead).toMatchObject({ deadLetterReason: "MaxDeliveryCountExceeded", deliveryCount: 3 });
  expect(counts).toEqual([0, 1, 2]);
  await subscription.close();
});

test("a deferred message is received by its number and can be renewed and completed", async () => {
  const { queue, sender, receiver } = setUp();
  await sender.sendMessages({ body: "later" });
  const message = only(await receiver.receiveMessages(1, WAIT));
  await receiver.deferMessage(message);
  const number = message.sequenceNumber;
  if (!number) throw new Error("A received message has a sequence number.");
  const deferred = only(await receiver.receiveDeferredMessages(number));
  expect(deferred).toMatchObject({ body: "later", state: "deferred", deliveryCount: 1 });
  await receiver.renewMessageLock(deferred);
  await receiver.completeMessage(deferred);
  expect(queue.messages.size).toBe(0);
  expect(await codeOf(receiver.receiveDeferredMessages(number))).toBe("MessageNotFound");
});

test("a lock that ends lets the message go to another receiver, and the late completion fails", async () => {
  const { client, name, sender, receiver } = setUp({ lockDuration: 300 });
  await sender.sendMessages({ body: 1 });
  const message = only(await receiver.receiveMessages(1, WAIT));
  const again = only(await client.createReceiver(name, NO_RENEWAL).receiveMessages(1, WAIT));
  expect(again.deliveryCount).toBe(1);
  expect(await codeOf(receiver.completeMessage(message))).toBe("MessageLockLost");
});

test("the SDK's own lock renewal keeps a slow handler's message", async () => {
  const { client, name, queue, sender } = setUp({ lockDuration: 1000 });
  let calls = 0;
  const subscription = client.createReceiver(name).subscribe({
    processMessage: async () => {
      calls++;
      await delay(1800);
    },
    processError: async () => {},
  });
  await sender.sendMessages({ body: 1 });
  await until(() => queue.totals.completed === 1);
  expect({ calls, expiredLocks: queue.totals.expiredLocks }).toEqual({ calls: 1, expiredLocks: 0 });
  await subscription.close();
});

test("a receiver that is closed can still settle: its locks live on", async () => {
  const { client, name, queue, sender, receiver } = setUp();
  await sender.sendMessages({ body: 1 });
  const message = only(await receiver.receiveMessages(1, WAIT));
  await receiver.close();
  await client.createReceiver(name).completeMessage(message);
  expect(queue.messages.size).toBe(0);
});

test("a message with a scheduled time arrives then, not before; a cancelled one does not arrive", async () => {
  const { sender, receiver } = setUp();
  const at = new Date(Date.now() + 400);
  await sender.sendMessages({ body: "sent", scheduledEnqueueTimeUtc: at });
  const [, second] = await sender.scheduleMessages([{ body: "scheduled" }, { body: "cancelled" }], at);
  if (!second) throw new Error("Two messages have two numbers.");
  await sender.cancelScheduledMessages(second);
  const received = await receiver.receiveMessages(2, WAIT);
  expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
  received.push(...(await receiver.receiveMessages(2, SHORT_WAIT)));
  expect(received.map(({ body }) => body)).toEqual(["sent", "scheduled"]);
  expect(received[0]?.scheduledEnqueueTimeUtc).toEqual(at);
  expect(await codeOf(sender.cancelScheduledMessages(second))).toBe("MessageNotFound");
});

test("a second message with the same id is dropped", async () => {
  const { queue, sender } = setUp({ dupWindow: 60_000 });
  await sender.sendMessages({ body: 1, messageId: "same" });
  await sender.sendMessages([
    { body: 2, messageId: "same" },
    { body: 3, messageId: "other" },
  ]);
  expect(queue.counts().active).toBe(2);
});

test("peek shows what is there, page by page, and takes nothing", async () => {
  const { queue, sender, receiver } = setUp();
  await sender.sendMessages([{ body: 0 }, { body: 1 }, { body: 2 }]);
  const bodies = [...(await receiver.peekMessages(2)), ...(await receiver.peekMessages(5))].map(({ body }) => body);
  expect(bodies).toEqual([0, 1, 2]);
  expect(await receiver.peekMessages(1)).toEqual([]);
  expect(queue.counts().active).toBe(3);
});

test("senders and subscriptions go on after their connection was cut", async () => {
  const { name } = setUp();
  const client = connect(broker.connectionString(), RECONNECT);
  const sender = client.createSender(name);
  const seen = new Set<number>();
  client.createReceiver(name).subscribe({
    processMessage: async ({ body }) => void seen.add(body),
    processError: async () => {},
  });
  await sender.sendMessages({ body: 0 });
  await until(() => seen.has(0));
  for (const socket of broker.sockets) socket.destroy();
  await sender.sendMessages({ body: 1 });
  await until(() => seen.has(1));
});

test("clients go on after the broker was restarted on the same port", async () => {
  const first = await startBroker({ queues: [{ name: "orders" }] });
  const { port } = first;
  const client = connect(first.connectionString(), RECONNECT);
  const sender = client.createSender("orders");
  const seen: number[] = [];
  client.createReceiver("orders").subscribe({
    processMessage: async ({ body }) => void seen.push(body),
    processError: async () => {},
  });
  await sender.sendMessages({ body: 1 });
  await until(() => seen.length === 1);
  await first.stop();
  await startBroker({ queues: [{ name: "orders" }], port });
  await sender.sendMessages({ body: 2 });
  await until(() => seen.length === 2);
  expect(seen).toEqual([1, 2]);
});

test("a client that closes leaves nothing behind", async () => {
  const { client, queue, sender, receiver } = setUp();
  await sender.sendMessages({ body: 1 });
  await receiver.completeMessage(only(await receiver.receiveMessages(1, WAIT)));
  expect(queue.consumers).toHaveLength(1);
  await client.close();
  await until(() => queue.consumers.length === 0);
});
