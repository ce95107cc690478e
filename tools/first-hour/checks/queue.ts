/** How the queue treats messages that come twice, or later. */
import { setTimeout as sleep } from "node:timers/promises";
import type { PeekMessagesOptions, ServiceBusReceiver } from "@azure/service-bus";
import { QUEUE } from "../../../src/jobs/wake-ups.ts";
import { type Check, outcomeOf } from "../check.ts";
import type { Document, Place } from "../place.ts";
import { wakeUpForNoRun } from "../wake-up.ts";

const HOUR = 3_600_000;
/** How far ahead the timed message is scheduled, and how late it may be gone: a worker has to take it. Milliseconds. */
const AHEAD = 2_000;
const MOST_LATE = 2_000;
/** An instance that starts for it. Milliseconds. */
const LONGEST_WAIT = 30_000;
/** How far the clocks of the app and the store may be apart. Both tell whole seconds. Milliseconds. */
const MOST_SKEW = 2_500;

export const queueChecks: Check[] = [
  {
    number: 13,
    title: "duplicates, scheduled messages, clocks",
    why: "a wake-up that is sent twice must be done once, also a scheduled one; leases compare clocks",
    expected: `1 message of 3 with one id; gone at most ${MOST_LATE / 1000} s after its time; clocks within 2 s`,
    writes: true,
    async run(place) {
      const problems: string[] = [];
      const kept = await keptOfThree(place);
      if (kept !== 1) problems.push(`${kept} messages kept of 3 with one id`);
      const late = await lateness(place);
      if (late === undefined) problems.push(`no worker took a message within ${LONGEST_WAIT / 1000} s`);
      else if (late > MOST_LATE) problems.push(`${(late / 1000).toFixed(1)} s late`);
      const skew = await clockSkew(place);
      if (Math.abs(skew) > MOST_SKEW)
        problems.push(`the app's clock is ${(skew / 1000).toFixed(0)} s from the store's`);
      return outcomeOf(problems, `1 message; ${late?.toFixed(0)} ms; clocks ${(skew / 1000).toFixed(0)} s apart`);
    },
  },
];

/** Two scheduled, one now. */
async function keptOfThree({ serviceBus, name }: Place): Promise<number> {
  const message = wakeUpForNoRun(name, "twice");
  const sender = serviceBus.createSender(QUEUE);
  const receiver = serviceBus.createReceiver(QUEUE);
  try {
    const at = new Date(Date.now() + HOUR);
    const numbers = [...(await sender.scheduleMessages(message, at)), ...(await sender.scheduleMessages(message, at))];
    await sender.sendMessages(message);
    const [first] = numbers;
    if (first === undefined) return 0;
    const kept = (await peekFrom(receiver, first)).filter(({ messageId }) => messageId === message.messageId);
    const scheduled = kept.flatMap(({ sequenceNumber }) => (sequenceNumber === undefined ? [] : [sequenceNumber]));
    if (scheduled.length > 0) await sender.cancelScheduledMessages(scheduled);
    return kept.length;
  } finally {
    await Promise.all([sender.close(), receiver.close()]);
  }
}

type SequenceNumber = NonNullable<PeekMessagesOptions["fromSequenceNumber"]>;

const peekFrom = (receiver: ServiceBusReceiver, fromSequenceNumber: SequenceNumber) =>
  receiver.peekMessages(100, { fromSequenceNumber });

/**
 * How long after its time a scheduled message is gone from the queue; undefined if no worker takes it. Milliseconds.
 */
async function lateness({ serviceBus, name }: Place): Promise<number | undefined> {
  const message = wakeUpForNoRun(name, "later");
  const sender = serviceBus.createSender(QUEUE);
  const receiver = serviceBus.createReceiver(QUEUE);
  const due = Date.now() + AHEAD;
  let [number] = await sender.scheduleMessages(message, new Date(due));
  try {
    while (number !== undefined && Date.now() < due + LONGEST_WAIT) {
      const found = await peekFrom(receiver, number);
      if (!found.some(({ messageId }) => messageId === message.messageId)) {
        number = undefined;
        return Date.now() - due;
      }
      await sleep(100);
    }
    return undefined;
  } finally {
    if (number !== undefined) await sender.cancelScheduledMessages(number).catch(() => {});
    await Promise.all([sender.close(), receiver.close()]);
  }
}

/** How far the app's clock is ahead of the store's. Milliseconds. */
async function clockSkew(place: Place): Promise<number> {
  const { app, threads } = place;
  const document = place.document(place.partition("clock"), "clock");
  const id = await app.thread("What time is it?");
  const { created_at = 0 } = await app.object("GET", `/threads/${id}`);
  const { resource } = await threads.items.upsert<Document>(document);
  return (created_at - Number(resource?._ts ?? 0)) * 1000;
}
