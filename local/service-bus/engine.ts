/**
 * A Service Bus queue and its dead-letter queue, free of AMQP: locks, delivery counts, schedule, time to live,
 * duplicate detection. Time, faults and the journal are passed in. Every change that must survive a crash is handed to
 * the journal in the same call that makes it.
 */
import type { Clock } from "./clock.ts";
import { type Content, withApplicationProperties } from "./codec.ts";
import { DuplicateHistory } from "./duplicates.ts";
import { messageLockLost, messageNotFound, messageTooLarge, notAllowed } from "./errors.ts";
import type { Faults } from "./faults.ts";
import { Heap } from "./heap.ts";
import { Locks } from "./locks.ts";
import type { Consumer, Lock, Message, Outcome, QueueSettings, SettlementDetails } from "./message.ts";
import { fromStored, type JournalRecord, type QueueImage, toStored } from "./records.ts";

/** What a queue needs from the broker. */
export interface Surroundings {
  readonly clock: Clock;
  readonly faults: Faults;
  /** Undefined: nothing outlives the process. */
  journal: { append(record: JournalRecord): void } | undefined;
}

export class Queue {
  readonly path: string;
  /** The name under which the journal knows it. */
  readonly key: string;
  readonly settings: QueueSettings;
  /** Undefined if this is a dead-letter queue itself. */
  readonly deadLetters: Queue | undefined;
  /** By sequence number: active (locked or not), deferred and scheduled ones. */
  readonly messages = new Map<number, Message>();
  readonly consumers: Consumer[] = [];
  /** Since the start of the process. */
  readonly totals = {
    sent: 0,
    delivered: 0,
    completed: 0,
    abandoned: 0,
    released: 0,
    deferred: 0,
    deadLettered: 0,
    expired: 0,
    expiredLocks: 0,
    duplicatesDropped: 0,
  };

  readonly #around: Surroundings;
  readonly #held: Locks;
  readonly #ready = new Heap<Message>((a, b) => a.sequenceNumber < b.sequenceNumber);
  readonly #history: DuplicateHistory | undefined;
  #nextSequenceNumber = 1;
  #nextConsumer = 0;

  constructor(path: string, settings: QueueSettings, around: Surroundings, role: "queue" | "deadLetters" = "queue") {
    this.path = path;
    this.key = path.toLowerCase();
    this.settings = settings;
    this.#around = around;
    this.#held = new Locks(around.clock, settings.lockDuration, (message) => this.#lockExpired(message));
    if (settings.dupWindow > 0) this.#history = new DuplicateHistory(settings.dupWindow);
    if (role === "queue") {
      const neverEnding = {
        ...settings,
        maxDeliveryCount: Number.POSITIVE_INFINITY,
        defaultTtl: undefined,
        dupWindow: 0,
      };
      this.deadLetters = new Queue(`${path}/$DeadLetterQueue`, neverEnding, around, "deadLetters");
    }
  }

  // ---- sending

  /** Throws if a message of so many bytes is too large for the queue. */
  checkSize(bytes: number): void {
    const { maxMessageSize } = this.settings;
    if (bytes > maxMessageSize) throw messageTooLarge(bytes, maxMessageSize);
  }

  /** Takes a message in. Returns its sequence number, or 0 if it was a duplicate. */
  send(content: Content): number {
    this.totals.sent++;
    if (this.#around.faults.strike("drop", this.path)) return this.#nextSequenceNumber++;
    const now = this.#around.clock.now();
    if (this.#history?.has(content.messageId, now)) {
      this.totals.duplicatesDropped++;
      return 0;
    }
    const number = this.#insert(content, this.#history?.add(content.messageId, now));
    if (this.#around.faults.strike("double", this.path)) this.#insert(content, undefined);
    return number;
  }

  #insert(content: Content, seenUntil: number | undefined): number {
    const now = this.#around.clock.now();
    const delay = this.#around.faults.strike("delay", this.path);
    const activateAt = Math.max(content.scheduledAt ?? now, delay ? now + (delay.ms ?? 1000) : now);
    const scheduled = activateAt > now;
    const message: Message = {
      ...content,
      sequenceNumber: this.#nextSequenceNumber++,
      state: scheduled ? "scheduled" : "active",
      deliveryCount: 0,
      enqueuedTime: now,
      activateAt: scheduled ? activateAt : undefined,
      expiresAt: scheduled ? undefined : this.#expiryOf(content, now),
      lock: undefined,
      activation: undefined,
      expiry: undefined,
      gone: false,
    };
    this.#around.journal?.append({ op: "put", queue: this.key, message: toStored(message), seenUntil });
    this.#enter(message);
    return message.sequenceNumber;
  }

  #expiryOf(content: Content, enqueuedTime: number): number | undefined {
    if (!this.deadLetters) return undefined; // a dead-letter queue keeps everything
    const ttl = Math.min(content.ttl ?? Number.POSITIVE_INFINITY, this.settings.defaultTtl ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(ttl) ? enqueuedTime + ttl : undefined;
  }

  /** A message is there from now on: after a send, an activation, a dead-lettering or a restart. */
  #enter(message: Message): void {
    this.messages.set(message.sequenceNumber, message);
    this.#nextSequenceNumber = Math.max(this.#nextSequenceNumber, message.sequenceNumber + 1);
    if (message.state === "scheduled") {
      message.activation = this.#around.clock.at(message.activateAt ?? 0, () => this.#activate(message));
      return;
    }
    if (message.expiresAt !== undefined) {
      message.expiry = this.#around.clock.at(message.expiresAt, () => this.#expire(message));
    }
    this.#offer(message);
  }

  /** A scheduled message becomes active under a new sequence number, as in the service. */
  #activate(message: Message): void {
    const number = message.sequenceNumber;
    this.messages.delete(number);
    message.activation = undefined;
    message.activateAt = undefined;
    message.sequenceNumber = this.#nextSequenceNumber++;
    message.state = "active";
    message.enqueuedTime = this.#around.clock.now();
    message.expiresAt = this.#expiryOf(message, message.enqueuedTime);
    this.#around.journal?.append({ op: "move", queue: this.key, number, to: this.key, message: toStored(message) });
    this.#enter(message);
  }

  cancelScheduled(numbers: readonly number[]): void {
    const found = numbers.map((number) => this.messages.get(number));
    if (!found.every((message) => message?.state === "scheduled")) {
      throw messageNotFound("The scheduled message could not be found.");
    }
    for (const message of found) if (message) this.#delete(message);
  }

  // ---- receiving

  addConsumer(consumer: Consumer): void {
    this.consumers.push(consumer);
  }

  /** Its locks live on until they expire: that is the service's rule for queues without sessions. */
  removeConsumer(consumer: Consumer): void {
    const index = this.consumers.indexOf(consumer);
    if (index >= 0) this.consumers.splice(index, 1);
  }

  /** Hands ready messages to receivers, in turn, as far as their credit goes. Call it when a receiver got credit. */
  pump(): void {
    while (this.#ready.size > 0) {
      const consumer = this.#consumerWithCredit();
      if (!consumer) return;
      const message = this.#ready.pop();
      if (message && !message.gone && message.state === "active" && !message.lock) this.#hand(message, consumer);
    }
  }

  #consumerWithCredit(): Consumer | undefined {
    const { length } = this.consumers;
    for (let turn = 0; turn < length; turn++) {
      const index = (this.#nextConsumer + turn) % length;
      const consumer = this.consumers[index];
      if (consumer && consumer.credit() > 0) {
        this.#nextConsumer = index + 1;
        return consumer;
      }
    }
    return undefined;
  }

  #hand(message: Message, consumer: Consumer): void {
    this.totals.delivered++;
    if (consumer.mode === "peekLock") {
      consumer.deliver(message, this.#lock(message));
    } else {
      this.#delete(message);
      consumer.deliver(message, undefined);
    }
  }

  /** A message is free: to the receivers with it, unless its time is over or it waits to be asked for. */
  #offer(message: Message): void {
    if ((message.expiresAt ?? Number.POSITIVE_INFINITY) <= this.#around.clock.now()) {
      this.#expire(message);
      return;
    }
    if (message.state === "deferred") return;
    this.#ready.push(message);
    this.pump();
  }

  /** Messages from a sequence number on, in any state, without locking them. */
  peek(from: number, limit: number): Message[] {
    const now = this.#around.clock.now();
    return [...this.messages.values()]
      .filter((message) => message.sequenceNumber >= from && (message.expiresAt ?? Number.POSITIVE_INFINITY) > now)
      .sort((a, b) => a.sequenceNumber - b.sequenceNumber)
      .slice(0, limit);
  }

  receiveDeferred(numbers: readonly number[], mode: Consumer["mode"]): { message: Message; lock: Lock | undefined }[] {
    const found = [...new Set(numbers)].map((number) => {
      const message = this.messages.get(number);
      if (message?.state === "deferred" && !message.lock) return message;
      throw messageNotFound(
        "Failed to lock one or more specified messages. The message does not exist, or it is not deferred.",
      );
    });
    return found.map((message) => {
      this.totals.delivered++;
      if (mode === "peekLock") return { message, lock: this.#lock(message) };
      this.#delete(message);
      return { message, lock: undefined };
    });
  }

  // ---- locks and settling

  #lock(message: Message): Lock {
    const fault = this.#around.faults.strike("expire-lock", this.path);
    return this.#held.take(message, fault ? (fault.ms ?? 50) : undefined);
  }

  /** By the keys of the locks. */
  get locks(): ReadonlyMap<string, Message> {
    return this.#held.byKey;
  }

  /** Returns until when the lock holds now. */
  renew(key: string): number {
    return this.#held.renew(key);
  }

  #lockExpired(message: Message): void {
    this.totals.expiredLocks++;
    this.#deliveryFailed(message, false);
  }

  /** Ends a delivery by the key of its lock. Throws message-lock-lost if the lock is not there any more. */
  settle(key: string, outcome: Outcome, details: SettlementDetails = {}): void {
    const message = this.locks.get(key);
    if (!message) throw messageLockLost();
    // May throw: nothing has changed yet.
    const bare = withApplicationProperties(message.bare, details.properties ?? {});
    const changed = bare !== message.bare;
    this.#held.release(message);
    if (outcome === "complete") {
      this.totals.completed++;
      this.#delete(message);
      return;
    }
    if (outcome === "deadLetter" && !this.deadLetters) {
      this.#offer(message);
      throw notAllowed("A message in the dead-letter queue cannot be dead-lettered.");
    }
    message.bare = bare;
    if (outcome === "release") {
      this.totals.released++;
      this.#offer(message);
    } else if (outcome === "abandon") {
      this.totals.abandoned++;
      this.#deliveryFailed(message, changed);
    } else if (outcome === "defer") {
      this.totals.deferred++;
      message.state = "deferred";
      message.deliveryCount++;
      this.#update(message, changed);
      this.#offer(message);
    } else if (this.deadLetters) {
      this.#moveToDeadLetters(message, this.deadLetters, details.reason, details.description);
    }
  }

  /** A delivery ended without success. In a dead-letter queue deliveries are not counted. */
  #deliveryFailed(message: Message, changed: boolean): void {
    if (this.deadLetters) message.deliveryCount++;
    const { maxDeliveryCount } = this.settings;
    if (this.deadLetters && message.state === "active" && message.deliveryCount >= maxDeliveryCount) {
      const description = `Message could not be consumed after ${maxDeliveryCount} delivery attempts.`;
      this.#moveToDeadLetters(message, this.deadLetters, "MaxDeliveryCountExceeded", description);
      return;
    }
    this.#update(message, changed);
    this.#offer(message);
  }

  #update(message: Message, bareChanged: boolean): void {
    this.#around.journal?.append({
      op: "update",
      queue: this.key,
      number: message.sequenceNumber,
      state: message.state,
      deliveryCount: message.deliveryCount,
      ...(bareChanged ? { bare: message.bare.toString("base64") } : {}),
    });
  }

  #expire(message: Message): void {
    if (message.gone || message.lock) return; // a locked message expires when its lock ends
    this.totals.expired++;
    if (this.settings.deadLetterOnExpire && this.deadLetters) {
      const description = "The message expired and was dead lettered.";
      this.#moveToDeadLetters(message, this.deadLetters, "TTLExpiredException", description);
    } else {
      this.#delete(message);
    }
  }

  /** The message keeps its sequence number and its delivery count. */
  #moveToDeadLetters(message: Message, to: Queue, reason?: string, description?: string): void {
    this.totals.deadLettered++;
    this.#forget(message);
    const why = { DeadLetterReason: reason, DeadLetterErrorDescription: description };
    const moved: Message = {
      ...message,
      bare: withApplicationProperties(message.bare, why),
      state: "active",
      activateAt: undefined,
      expiresAt: undefined,
      expiry: undefined,
      gone: false,
    };
    const number = message.sequenceNumber;
    this.#around.journal?.append({ op: "move", queue: this.key, number, to: to.key, message: toStored(moved) });
    to.totals.sent++;
    to.#enter(moved);
  }

  #delete(message: Message): void {
    this.#forget(message);
    this.#around.journal?.append({ op: "delete", queue: this.key, number: message.sequenceNumber });
  }

  #forget(message: Message): void {
    message.gone = true;
    this.messages.delete(message.sequenceNumber);
    this.#held.release(message);
    this.#around.clock.cancel(message.expiry);
    this.#around.clock.cancel(message.activation);
  }

  // ---- looking in, and the journal

  counts(): { active: number; deferred: number; scheduled: number; deadLetter: number } {
    const counts = { active: 0, deferred: 0, scheduled: 0, deadLetter: this.deadLetters?.messages.size ?? 0 };
    for (const message of this.messages.values()) counts[message.state]++;
    return counts;
  }

  /** The figures that broker checks compare: `out` is deliveries, `redelivered` those that ended without success. */
  get stats(): { completed: number; out: number; redelivered: number } {
    const { completed, delivered, abandoned, released, expiredLocks } = this.totals;
    return { completed, out: delivered, redelivered: abandoned + released + expiredLocks };
  }

  image(): QueueImage {
    const messages = new Map([...this.messages].map(([number, message]) => [number, toStored(message)]));
    return { nextSequenceNumber: this.#nextSequenceNumber, messages, seen: this.#history?.seen ?? new Map() };
  }

  /** Takes over what an earlier process left. */
  restore(image: QueueImage): void {
    this.#nextSequenceNumber = image.nextSequenceNumber;
    for (const [messageId, until] of image.seen) this.#history?.seen.set(messageId, until);
    for (const stored of image.messages.values()) {
      const message = { ...fromStored(stored), lock: undefined, activation: undefined, expiry: undefined, gone: false };
      this.#enter(message);
    }
  }
}
