/** A receiver's link as a consumer of a queue: its credit, its drain requests, its deliveries. */
import { encode, flipGuid } from "./codec.ts";
import type { Queue } from "./engine.ts";
import type { Consumer, Lock, Message } from "./message.ts";
import type { RheaDelivery, RheaSender } from "./rhea-internals.ts";

/** Value of snd-settle-mode for receiveAndDelete: messages are settled when they are sent. */
const SETTLED = 1;

export function encodeForReceiver(message: Message, lock: Lock | undefined): Buffer {
  const { sequenceNumber, enqueuedTime, deliveryCount, state } = message;
  return encode(message, { sequenceNumber, enqueuedTime, deliveryCount, state, lockedUntil: lock?.until });
}

export class LinkConsumer implements Consumer {
  readonly queue: Queue;
  readonly mode: Consumer["mode"];
  readonly #sender: RheaSender;
  readonly #delivered: (delivery: RheaDelivery, lock: Lock | undefined) => void;
  /** Transfers handed to rhea, and the part of its delivery count that came from drains instead. */
  #sent = 0;
  #drained = 0;
  #drainAsked = false;
  #blocked = false;
  #attached = false;

  constructor(queue: Queue, sender: RheaSender, delivered: (delivery: RheaDelivery, lock: Lock | undefined) => void) {
    this.queue = queue;
    this.#sender = sender;
    this.#delivered = delivered;
    this.mode = sender.snd_settle_mode === SETTLED ? "receiveAndDelete" : "peekLock";
    sender._get_drain = () => this.#giveBackCredit();
  }

  /**
   * rhea lowers the link's credit only when it writes a transfer, on the next tick: what it still holds counts as
   * spent. One slot of its ring of unsettled deliveries stays free, because a full ring makes send() throw.
   */
  credit(): number {
    const sender = this.#sender;
    if (sender.connection.socket.destroyed || !sender.is_open()) return 0;
    const written = sender.delivery_count - this.#drained;
    const credit = sender.credit - (this.#sent - written);
    // A client may send attach and credit at once, and rhea would write the transfers before the answer to the attach.
    const slots = this.#attached ? sender.session.outgoing.available() - 1 : 0;
    this.#blocked = credit > 0 && slots <= 0;
    return Math.min(credit, slots);
  }

  /** To be called when what was due is written. Returns whether messages were held back until then. */
  written(): boolean {
    const blocked = this.#blocked;
    this.#blocked = false;
    this.#attached = true;
    return blocked;
  }

  deliver(message: Message, lock: Lock | undefined): void {
    this.#sent++;
    const tag = lock ? flipGuid(lock.token) : this.#sender.next_tag();
    const delivery = this.#sender.send(encodeForReceiver(message, lock), tag, 0);
    if (!lock) delivery.settled = true;
    this.#delivered(delivery, lock);
  }

  /**
   * The receiver takes what is there and wants the rest of its credit back. It must get an answer even if it has no
   * credit left: without one the SDK waits, gives the link up, and the messages in it stay locked.
   */
  drain(): void {
    this.queue.pump();
    this.#drainAsked = true;
    this.#sender.issue_flow = true;
    this.#sender.connection._register();
  }

  #giveBackCredit(): boolean {
    if (!this.#drainAsked) return false;
    this.#drainAsked = false;
    this.#sender._draining = false;
    this.#drained += this.#sender.credit;
    this.#sender.delivery_count += this.#sender.credit;
    this.#sender.credit = 0;
    return true;
  }
}
