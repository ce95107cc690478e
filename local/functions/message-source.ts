// A receiver with what it has delivered, so that it can be replaced before its AMQP session is full.

import type { ServiceBusReceivedMessage, ServiceBusReceiver } from "@azure/service-bus";

/**
 * A session of rhea (under @azure/service-bus) keeps its last 2,048 deliveries, from the oldest that is not settled on.
 * Behind a message that is held for long, a receiver would get 2,047 others and then no more. (The .NET host in Azure
 * has no such limit.) So after half as many another receiver takes its place, and this one is kept for its messages.
 */
const WORN_AFTER = 1000;

export class MessageSource {
  readonly receiver: ServiceBusReceiver;
  readonly #underWay = new Set<Promise<void>>();
  /** With their numbers, oldest first. Those that are never settled stay: so they do in the session. */
  readonly #unsettled = new Map<ServiceBusReceivedMessage, number>();
  readonly #worn = Promise.withResolvers<void>();
  #delivered = 0;

  constructor(receiver: ServiceBusReceiver) {
    this.receiver = receiver;
  }

  /** Whether another receiver should take its place. */
  get isWorn(): boolean {
    const [oldest = this.#delivered] = this.#unsettled.values();
    return this.#delivered - oldest >= WORN_AFTER;
  }

  /** Resolves when it is worn. */
  get worn(): Promise<void> {
    return this.#worn.promise;
  }

  /** Works on messages that the receiver has just delivered. */
  async use(messages: ServiceBusReceivedMessage[], work: () => Promise<void>): Promise<void> {
    for (const message of messages) this.#unsettled.set(message, this.#delivered++);
    if (this.isWorn) this.#worn.resolve();
    const running = work();
    this.#underWay.add(running);
    try {
      await running;
    } finally {
      this.#underWay.delete(running);
    }
  }

  settled(message: ServiceBusReceivedMessage): void {
    this.#unsettled.delete(message);
  }

  /** Closes the receiver as soon as the work on all its messages has ended. */
  async close(): Promise<void> {
    // Messages that were on their way when the receiver stopped may still come in, so look again after each wait.
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await this.receiver.close();
  }
}
