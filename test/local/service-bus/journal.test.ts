import { appendFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import rhea from "rhea";
import { expect, test } from "vitest";
import { parse } from "../../../local/service-bus/codec.ts";
import { DEFAULT_SETTINGS } from "../../../local/service-bus/config.ts";
import { Queue } from "../../../local/service-bus/engine.ts";
import { Faults } from "../../../local/service-bus/faults.ts";
import { Journal } from "../../../local/service-bus/journal.ts";
import type { Outcome } from "../../../local/service-bus/message.ts";
import { apply, type Images, type JournalRecord } from "../../../local/service-bus/records.ts";
import {
  connect,
  connectionStringOf,
  killHard,
  only,
  startBrokerProcess,
  temporaryDirectory,
  until,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

const FILE = "service-bus.journal";
const WAIT = { maxWaitTimeInMs: 3000 };
const NO_RENEWAL = { maxAutoLockRenewalDurationInMs: 0 };

/** A broker process on a journal, and the SDK on its queue `runs`. */
async function startOn(directory: string) {
  const broker = await startBrokerProcess("--data", directory);
  const client = connect(connectionStringOf(broker.port));
  return {
    broker,
    sender: client.createSender("runs"),
    receiver: client.createReceiver("runs", NO_RENEWAL),
    deadLetters: client.createReceiver("runs", { subQueueType: "deadLetter" }),
  };
}

test("after kill -9 of the broker everything that it had said is still true", async () => {
  const directory = temporaryDirectory();
  const before = await startOn(directory);
  const inAnHour = new Date(Date.now() + 3_600_000);
  for (const messageId of ["completed", "abandoned", "deferred", "poison", "locked"]) {
    await before.sender.sendMessages({ messageId, body: { messageId } });
    const message = only(await before.receiver.receiveMessages(1, WAIT));
    if (messageId === "completed") await before.receiver.completeMessage(message);
    if (messageId === "deferred") await before.receiver.deferMessage(message);
    if (messageId === "poison")
      await before.receiver.deadLetterMessage(message, { deadLetterReason: "bad", deadLetterErrorDescription: "why" });
    if (messageId === "abandoned") {
      await before.receiver.abandonMessage(message, { note: "again" });
      await before.receiver.receiveMessages(1, WAIT); // and locked until the end
    }
  }
  await before.sender.sendMessages({ messageId: "scheduled", body: 1, scheduledEnqueueTimeUtc: inAnHour });
  const [cancelled] = await before.sender.scheduleMessages([{ messageId: "cancelled", body: 1 }], inAnHour);
  if (cancelled) await before.sender.cancelScheduledMessages(cancelled);
  const soon = new Date(Date.now() + 1000);
  await before.sender.sendMessages({ messageId: "due", body: 1, scheduledEnqueueTimeUtc: soon });
  await killHard(before.broker);
  await until(() => Date.now() > soon.getTime()); // it falls due while no broker runs

  const after = await startOn(directory);
  await after.sender.sendMessages({ messageId: "completed", body: "a duplicate" });
  const peeked = await after.receiver.peekMessages(10);
  expect(peeked.map(({ messageId, state }) => [messageId, state])).toEqual([
    ["abandoned", "active"],
    ["deferred", "deferred"],
    ["locked", "active"],
    ["scheduled", "scheduled"],
    ["due", "active"],
  ]);
  const received = await after.receiver.receiveMessages(3, WAIT);
  expect(received.map(({ messageId, deliveryCount }) => [messageId, deliveryCount])).toEqual([
    ["abandoned", 1],
    ["locked", 0],
    ["due", 0],
  ]);
  expect(received[0]).toMatchObject({ body: { messageId: "abandoned" }, applicationProperties: { note: "again" } });
  expect(only(await after.deadLetters.receiveMessages(1, WAIT))).toMatchObject({ deadLetterReason: "bad" });
});

test("kill -9 in the middle of many sends loses none that was acknowledged", async () => {
  const directory = temporaryDirectory();
  const before = await startOn(directory);
  const acknowledged = new Set<string>();
  const send = async (lane: number) => {
    for (let index = 0; ; index++) {
      const messageId = `${lane}-${index}`;
      await before.sender.sendMessages({ messageId, body: "x".repeat(1000) });
      acknowledged.add(messageId);
    }
  };
  const lanes = Array.from({ length: 8 }, (_, lane) => send(lane).catch(() => {}));
  await until(() => acknowledged.size > 300);
  await killHard(before.broker);
  await Promise.race([Promise.all(lanes), delay(100)]);

  const after = await startOn(directory);
  const found = new Set<unknown>();
  while (found.size < acknowledged.size) {
    const messages = await after.receiver.receiveMessages(500, WAIT);
    if (messages.length === 0) break;
    for (const { messageId } of messages) found.add(messageId);
  }
  expect([...acknowledged].filter((messageId) => !found.has(messageId))).toEqual([]);
});

test("a last line that the crash has torn is ignored, and the next start is clean", async () => {
  const directory = temporaryDirectory();
  const first = await startOn(directory);
  await first.sender.sendMessages({ messageId: "whole", body: 1 });
  await killHard(first.broker);
  appendFileSync(join(directory, FILE), '[{"op":"put","queue":"runs","mess');

  const second = await startOn(directory);
  await second.sender.sendMessages({ messageId: "next", body: 1 });
  await killHard(second.broker);

  const third = await startOn(directory);
  const peeked = await third.receiver.peekMessages(10);
  expect(peeked.map(({ messageId }) => messageId)).toEqual(["whole", "next"]);
});

test("a journal that is damaged before its end is an error that names the file, not silent loss", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, FILE);
  writeFileSync(path, '[{"op":"next","queue":"runs","number":5}]\n[garbage]\n[]\n');
  const refusal = await startBrokerProcess("--data", directory).catch(String);
  expect(refusal).toContain(
    `The broker did not start: service-bus: ${path}, line 2: damaged record (no JSON). Restore`,
  );
  expect(String(refusal).trim()).not.toContain("\n");
});

/** Queues on a journal in this process, in virtual time. */
function openQueue(directory: string, smallestCompaction: number) {
  const clock = new VirtualClock();
  const settings = { ...DEFAULT_SETTINGS, maxMessageSize: 1024 * 1024, dupWindow: 10 * 60_000, maxDeliveryCount: 3 };
  const records: JournalRecord[] = [];
  const images = (): Images => {
    const dead = queue.deadLetters;
    return new Map([[queue.key, queue.image()], ...(dead ? ([[dead.key, dead.image()]] as const) : [])]);
  };
  const journal = new Journal(directory, images, { smallestCompaction });
  const append = (record: JournalRecord) => {
    records.push(JSON.parse(JSON.stringify(record)));
    journal.append(record);
  };
  const queue = new Queue("orders", settings, { clock, faults: new Faults(1), journal: { append } });
  const inbox: string[] = [];
  queue.addConsumer({
    mode: "peekLock",
    credit: () => Number.POSITIVE_INFINITY,
    deliver: (_, lock) => void inbox.push(lock?.key ?? ""),
  });
  let sent = 0;
  const send = (scheduledAt?: number) =>
    queue.send({ ...parse(rhea.message.encode({ message_id: `m${sent++}`, body: "x".repeat(100) })), scheduledAt });
  return { clock, queue, journal, records, inbox, images, send };
}

test("the journal stays small when messages come and go, and still holds what is there", () => {
  const directory = temporaryDirectory();
  const { queue, journal, inbox, images, send } = openQueue(directory, 20_000);
  for (let round = 0; round < 2000; round++) {
    send();
    if (round % 100 !== 0) queue.settle(inbox.at(-1) ?? "", "complete");
    journal.flush();
  }
  journal.close();
  const live = JSON.stringify([...(images().get("orders")?.messages.values() ?? [])]).length;
  const size = statSync(join(directory, FILE)).size;
  expect(queue.counts().active).toBe(20);
  expect(size).toBeLessThan(20 * live + 400_000); // the remembered ids are live too
  const reopened = new Journal(directory, () => new Map());
  expect([...(reopened.images.get("orders")?.messages.keys() ?? [])]).toEqual([...queue.messages.keys()]);
  expect(reopened.images.get("orders")?.nextSequenceNumber).toBe(2001);
  reopened.close();
});

const action = fc.oneof(
  fc.record({ do: fc.constant("send" as const), inSeconds: fc.option(fc.nat({ max: 60 })) }),
  fc.record({
    do: fc.constant("settle" as const),
    which: fc.nat(),
    outcome: fc.constantFrom<Outcome>("complete", "abandon", "defer", "deadLetter"),
  }),
  fc.record({ do: fc.constant("wait" as const), seconds: fc.nat({ max: 90 }) }),
);

test("whatever happens to a queue, its journal leads to the same queue", () => {
  const directory = temporaryDirectory();
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      writeFileSync(join(directory, FILE), "");
      const { clock, queue, journal, records, inbox, images, send } = openQueue(directory, 3000);
      for (const step of actions) {
        if (step.do === "send") send(step.inSeconds === null ? undefined : clock.now() + step.inSeconds * 1000);
        else if (step.do === "wait") clock.advance(step.seconds * 1000);
        else {
          const key = inbox[step.which % Math.max(1, inbox.length)] ?? "";
          if (queue.locks.has(key)) queue.settle(key, step.outcome, { properties: { step: step.which } });
        }
        journal.flush();
      }
      journal.close();
      const replayed: Images = new Map();
      for (const record of records) apply(replayed, record);
      const reopened = new Journal(directory, () => new Map());
      reopened.close();
      for (const [key, image] of images()) {
        const expected = JSON.parse(JSON.stringify([...image.messages].sort(([a], [b]) => a - b)));
        for (const source of [replayed, reopened.images]) {
          const found = [...(source.get(key)?.messages ?? [])].sort(([a], [b]) => a - b);
          expect(JSON.parse(JSON.stringify(found))).toEqual(expected);
          expect(source.get(key)?.nextSequenceNumber ?? 1).toBe(image.nextSequenceNumber);
        }
      }
    }),
    { numRuns: 60 },
  );
});
