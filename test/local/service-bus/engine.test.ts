import rhea from "rhea";
import { expect, test } from "vitest";
import { applicationPropertiesOf, parse } from "../../../local/service-bus/codec.ts";
import { DEFAULT_SETTINGS } from "../../../local/service-bus/config.ts";
import { Queue } from "../../../local/service-bus/engine.ts";
import { Faults } from "../../../local/service-bus/faults.ts";
import type { Consumer, Lock, Message, QueueSettings } from "../../../local/service-bus/message.ts";
import { VirtualClock } from "./virtual-clock.ts";

const SECOND = 1000;

/** A receiver that takes `room` messages and keeps them. */
class Inbox implements Consumer {
  readonly mode: Consumer["mode"];
  readonly received: { message: Message; lock: Lock | undefined }[] = [];
  room: number;

  constructor(room = Number.POSITIVE_INFINITY, mode: Consumer["mode"] = "peekLock") {
    this.room = room;
    this.mode = mode;
  }

  credit(): number {
    return this.room - this.received.length;
  }

  deliver(message: Message, lock: Lock | undefined): void {
    this.received.push({ message, lock });
  }

  get ids(): string[] {
    return this.received.map(({ message }) => message.messageId);
  }

  /** The lock of the message that came last. */
  get lastKey(): string {
    return this.received.at(-1)?.lock?.key ?? "";
  }
}

function setUp(settings: Partial<QueueSettings> = {}) {
  const clock = new VirtualClock();
  const around = { clock, faults: new Faults(1), journal: undefined };
  const queue = new Queue(
    "orders",
    { ...DEFAULT_SETTINGS, maxMessageSize: 1024 * 1024, lockDuration: 30 * SECOND, ...settings },
    around,
  );
  const send = (id: string, extra: { ttl?: number; scheduledAt?: number } = {}) =>
    queue.send({ ...parse(rhea.message.encode({ message_id: id, body: id })), ...extra });
  const receive = (room?: number, mode?: Consumer["mode"]) => {
    const inbox = new Inbox(room, mode);
    queue.addConsumer(inbox);
    queue.pump();
    return inbox;
  };
  const deadLetters = () => {
    const { messages } = queue.deadLetters ?? { messages: new Map<number, Message>() };
    return [...messages.values()].map((message) => ({
      id: message.messageId,
      reason: applicationPropertiesOf(message.bare).DeadLetterReason,
      deliveryCount: message.deliveryCount,
    }));
  };
  return { clock, queue, send, receive, deadLetters };
}

test("messages come in the order they were sent in, as far as a receiver has room", () => {
  const { send, receive } = setUp();
  for (const id of ["a", "b", "c"]) send(id);
  expect(receive(2).ids).toEqual(["a", "b"]);
});

test("receivers take turns", () => {
  const { send, receive } = setUp();
  const [first, second] = [receive(), receive()];
  for (const id of ["a", "b", "c", "d"]) send(id);
  expect([first.ids, second.ids]).toEqual([
    ["a", "c"],
    ["b", "d"],
  ]);
});

test("a released message comes again at once, and the delivery does not count, however often", () => {
  const { queue, send, receive } = setUp({ maxDeliveryCount: 2 });
  send("a");
  const inbox = receive(5);
  for (let time = 0; time < 4; time++) queue.settle(inbox.lastKey, "release");
  expect(inbox.ids).toEqual(["a", "a", "a", "a", "a"]);
  expect(inbox.received.at(-1)?.message.deliveryCount).toBe(0);
});

test("a completed message is gone for good", () => {
  const { clock, queue, send, receive } = setUp();
  send("a");
  queue.settle(receive().lastKey, "complete");
  clock.advance(3600 * SECOND);
  expect(queue.counts()).toEqual({ active: 0, deferred: 0, scheduled: 0, deadLetter: 0 });
  expect(queue.locks.size).toBe(0);
});

test("a message taken with receiveAndDelete is gone without settling", () => {
  const { queue, send, receive } = setUp();
  send("a");
  expect(receive(1, "receiveAndDelete").ids).toEqual(["a"]);
  expect(queue.messages.size).toBe(0);
});

test("a lock that is not renewed ends on time, and the message is delivered again with a higher count", () => {
  const { clock, queue, send, receive } = setUp();
  send("a");
  const inbox = receive(2);
  const key = inbox.lastKey;
  clock.advance(30 * SECOND - 1);
  expect(inbox.ids).toEqual(["a"]);
  clock.advance(1);
  expect(inbox.ids).toEqual(["a", "a"]);
  expect(inbox.received[1]?.message.deliveryCount).toBe(1);
  expect(() => queue.settle(key, "complete")).toThrow(/The lock supplied is invalid/);
  expect(() => queue.renew(key)).toThrow(/The lock supplied is invalid/);
  expect(queue.totals.expiredLocks).toBe(1);
});

test("a renewed lock holds a full lock duration from then on", () => {
  const { clock, queue, send, receive } = setUp();
  send("a");
  const inbox = receive();
  for (let round = 0; round < 10; round++) {
    clock.advance(29 * SECOND);
    expect(queue.renew(inbox.lastKey)).toBe(clock.now() + 30 * SECOND);
  }
  queue.settle(inbox.lastKey, "complete");
  expect(inbox.ids).toEqual(["a"]);
});

test("an abandoned message comes before later ones", () => {
  const { queue, send, receive } = setUp();
  for (const id of ["a", "b"]) send(id);
  const inbox = receive(1);
  queue.settle(inbox.lastKey, "abandon");
  inbox.room = 3;
  queue.pump();
  expect(inbox.ids).toEqual(["a", "a", "b"]);
});

test("after the last allowed delivery a message is dead-lettered, whether it was abandoned or its lock ended", () => {
  const { clock, queue, send, receive, deadLetters } = setUp({ maxDeliveryCount: 3 });
  send("a");
  const inbox = receive();
  queue.settle(inbox.lastKey, "abandon");
  clock.advance(30 * SECOND);
  expect(deadLetters()).toEqual([]);
  queue.settle(inbox.lastKey, "abandon");
  expect(deadLetters()).toEqual([{ id: "a", reason: "MaxDeliveryCountExceeded", deliveryCount: 3 }]);
  expect(inbox.ids).toEqual(["a", "a", "a"]);
});

test("a receiver can dead-letter a message with its reason and properties", () => {
  const { queue, send, receive } = setUp();
  send("a");
  queue.settle(receive().lastKey, "deadLetter", { reason: "poison", description: "cannot", properties: { code: 7 } });
  const [message] = queue.deadLetters?.messages.values() ?? [];
  expect(applicationPropertiesOf(message?.bare ?? Buffer.alloc(0))).toEqual({
    code: 7,
    DeadLetterReason: "poison",
    DeadLetterErrorDescription: "cannot",
  });
});

test("in the dead-letter queue deliveries are not counted and nothing expires", () => {
  const { clock, queue, send, receive } = setUp({ maxDeliveryCount: 1, defaultTtl: 60 * SECOND });
  send("a");
  queue.settle(receive().lastKey, "abandon");
  const inbox = new Inbox();
  queue.deadLetters?.addConsumer(inbox);
  queue.deadLetters?.pump();
  clock.advance(3600 * SECOND);
  expect(inbox.ids).toHaveLength(121); // at once, and after each of 120 locks
  expect(inbox.received.at(-1)?.message.deliveryCount).toBe(1);
  expect(() => queue.deadLetters?.settle(inbox.lastKey, "deadLetter")).toThrow(/cannot be dead-lettered/);
});

test("a scheduled message is not delivered before its time, and then under a new sequence number", () => {
  const { clock, queue, send, receive } = setUp();
  const number = send("later", { scheduledAt: clock.now() + 60 * SECOND });
  send("now");
  const inbox = receive();
  queue.settle(inbox.lastKey, "complete");
  clock.advance(60 * SECOND - 1);
  expect(inbox.ids).toEqual(["now"]);
  expect(queue.counts().scheduled).toBe(1);
  clock.advance(1);
  expect(inbox.ids).toEqual(["now", "later"]);
  expect(inbox.received[1]?.message.sequenceNumber).toBeGreaterThan(number + 1);
});

test("a cancelled scheduled message never comes; cancelling it twice is an error", () => {
  const { clock, queue, send, receive } = setUp();
  const number = send("a", { scheduledAt: clock.now() + SECOND });
  queue.cancelScheduled([number]);
  clock.advance(2 * SECOND);
  expect(receive().ids).toEqual([]);
  expect(() => queue.cancelScheduled([number])).toThrow(/could not be found/);
});

test("cancelling several scheduled messages cancels none if one is unknown", () => {
  const { clock, queue, send } = setUp();
  const number = send("a", { scheduledAt: clock.now() + SECOND });
  expect(() => queue.cancelScheduled([number, 99])).toThrow(/could not be found/);
  expect(queue.counts().scheduled).toBe(1);
});

test("an expired message is dropped; the queue's default caps the message's own time to live", () => {
  const { clock, queue, send, receive, deadLetters } = setUp({ defaultTtl: 10 * SECOND });
  send("short", { ttl: SECOND });
  send("long", { ttl: 3600 * SECOND });
  clock.advance(SECOND);
  expect(queue.peek(1, 10).map(({ messageId }) => messageId)).toEqual(["long"]);
  clock.advance(9 * SECOND);
  expect(receive().ids).toEqual([]);
  expect(deadLetters()).toEqual([]);
});

test("where the queue asks for it, expired messages are dead-lettered", () => {
  const { clock, send, deadLetters } = setUp({ deadLetterOnExpire: true });
  send("a", { ttl: SECOND });
  clock.advance(SECOND);
  expect(deadLetters()).toEqual([{ id: "a", reason: "TTLExpiredException", deliveryCount: 0 }]);
});

test("a message does not expire under a lock, but when the lock ends without success", () => {
  const { clock, queue, send, receive } = setUp();
  send("kept", { ttl: SECOND });
  const inbox = receive();
  clock.advance(2 * SECOND);
  expect(queue.messages.size).toBe(1);
  queue.settle(inbox.lastKey, "abandon");
  expect(inbox.ids).toEqual(["kept"]);
  expect(queue.messages.size).toBe(0);
});

test("the time to live of a scheduled message starts when it becomes active", () => {
  const { clock, queue, send } = setUp();
  send("a", { ttl: 10 * SECOND, scheduledAt: clock.now() + 60 * SECOND });
  clock.advance(69 * SECOND);
  expect(queue.counts().active).toBe(1);
  clock.advance(SECOND);
  expect(queue.counts().active).toBe(0);
});

test("the second message with an id is dropped within the window, and taken after it", () => {
  const { clock, queue, send } = setUp({ dupWindow: 60 * SECOND });
  send("a");
  clock.advance(60 * SECOND - 1);
  expect(send("a")).toBe(0);
  clock.advance(1);
  expect(send("a")).toBeGreaterThan(0);
  expect(queue.totals).toMatchObject({ sent: 3, duplicatesDropped: 1 });
  expect(queue.counts().active).toBe(2);
});

test("duplicates are dropped even if the first was completed, or waits for its time", () => {
  const { clock, queue, send, receive } = setUp({ dupWindow: 60 * SECOND });
  send("done");
  queue.settle(receive().lastKey, "complete");
  send("waiting", { scheduledAt: clock.now() + 30 * SECOND });
  expect([send("done"), send("waiting")]).toEqual([0, 0]);
});

test("a deferred message comes only when it is asked for by its number, and counts as delivered", () => {
  const { clock, queue, send, receive } = setUp();
  const number = send("a");
  const inbox = receive();
  queue.settle(inbox.lastKey, "defer", { properties: { step: 1 } });
  clock.advance(3600 * SECOND);
  expect(inbox.ids).toEqual(["a"]);
  const asked = queue.receiveDeferred([number, number], "peekLock");
  expect(asked).toHaveLength(1);
  const [deferred] = asked;
  expect(deferred?.message.deliveryCount).toBe(1);
  expect(applicationPropertiesOf(deferred?.message.bare ?? Buffer.alloc(0))).toEqual({ step: 1 });
  expect(() => queue.receiveDeferred([number], "peekLock")).toThrow(/not deferred/); // locked now
  queue.settle(deferred?.lock?.key ?? "", "complete");
  expect(queue.messages.size).toBe(0);
});

test("a receiver that leaves keeps its locks until they end", () => {
  const { clock, queue, send, receive } = setUp();
  send("a");
  queue.removeConsumer(receive(1));
  const other = receive();
  clock.advance(29 * SECOND);
  expect(other.ids).toEqual([]);
  clock.advance(SECOND);
  expect(other.ids).toEqual(["a"]);
});

test("peek shows messages in every state, in order, and pages by sequence number", () => {
  const { clock, queue, send, receive } = setUp();
  send("deferred");
  queue.settle(receive(1).lastKey, "defer");
  send("active");
  send("scheduled", { scheduledAt: clock.now() + SECOND });
  expect(queue.peek(1, 10).map(({ state }) => state)).toEqual(["deferred", "active", "scheduled"]);
  expect(queue.peek(2, 1).map(({ messageId }) => messageId)).toEqual(["active"]);
});
