// Service Bus queue triggers, over the real SDK: complete on success, abandon on failure.

import {
  RetryMode,
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from "@azure/service-bus";
import { Credit } from "./credit.ts";
import { LockRenewal } from "./lock-renewal.ts";
import { describeError } from "./log.ts";
import { MessageSource } from "./message-source.ts";
import type { InvocationRequest, Listener, RegisteredFunction } from "./protocol.ts";
import { batchMetadata, messageMetadata, messageText } from "./service-bus-data.ts";
import { resolveSettings, type ServiceBusSettings } from "./settings.ts";
import { SettlementGate } from "./settlement-gate.ts";
import { Slots } from "./slots.ts";
import type { Worker } from "./worker.ts";

/** Short waits, as the broker is local: a restart of it shall cost a second or so, not the SDK's default of 30. */
const retryOptions = {
  mode: RetryMode.Fixed,
  maxRetries: 3,
  retryDelayInMs: 250,
  maxRetryDelayInMs: 1000,
  timeoutInMs: 10_000,
};

/** How long one receive of a batch waits: also the longest that a stop waits for it. */
const batchWaitMs = 1000;

/** Starts to receive for a function. Throws when its settings are bad; a broker that is not there yet is waited for. */
export async function startServiceBusTrigger(
  worker: Worker,
  fn: RegisteredFunction,
  settings: ServiceBusSettings,
): Promise<Listener> {
  const client = await connect(settingOf(fn, "connection"));
  const { name, deadLetters } = queueOf(fn);
  const createReceiver = () =>
    client.createReceiver(name, {
      receiveMode: "peekLock",
      maxAutoLockRenewalDurationInMs: 0,
      // The library parses bodies itself, and binary ones must not be altered by an attempt here.
      skipParsingBodyAsJson: true,
      ...(deadLetters && { subQueueType: "deadLetter" }),
    });
  const trigger = new QueueTrigger(worker, fn, client, createReceiver, settings);
  trigger.start(String(fn.trigger.cardinality ?? "one").toLowerCase() === "many");
  return trigger;
}

class QueueTrigger implements Listener {
  readonly #worker: Worker;
  readonly #fn: RegisteredFunction;
  readonly #client: ServiceBusClient;
  readonly #createReceiver: () => ServiceBusReceiver;
  readonly #settings: ServiceBusSettings;
  readonly #completes: boolean;
  readonly #gate = new SettlementGate();
  readonly #slots: Slots;
  readonly #credit: Credit;
  /** Of receivers that take no more messages, each until it is done with those that it has. */
  readonly #closing = new Set<Promise<void>>();
  readonly #stopping = Promise.withResolvers<void>();
  #isStopping = false;
  #receiving: Promise<void> = Promise.resolve();
  #connected = true;

  constructor(
    worker: Worker,
    fn: RegisteredFunction,
    client: ServiceBusClient,
    createReceiver: () => ServiceBusReceiver,
    settings: ServiceBusSettings,
  ) {
    this.#worker = worker;
    this.#fn = fn;
    this.#client = client;
    this.#createReceiver = createReceiver;
    this.#settings = settings;
    this.#slots = new Slots(settings.maxConcurrentCalls);
    // Prefetched messages wait here, and as in Azure their locks are not renewed before their turn comes.
    this.#credit = new Credit(settings.maxConcurrentCalls + settings.prefetchCount);
    const own = fn.trigger.autoCompleteMessages;
    this.#completes = typeof own === "boolean" ? own : settings.autoCompleteMessages;
  }

  start(inBatches: boolean): void {
    this.#receiving = this.#receive(inBatches);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopping.resolve();
    await this.#receiving;
    this.#worker.writeLog("information", this.#fn.name, "takes no more messages");
    await Promise.all(this.#closing);
    await this.#client.close();
  }

  /** With one receiver after the other. */
  async #receive(inBatches: boolean): Promise<void> {
    while (!this.#isStopping) {
      const source = new MessageSource(this.#createReceiver());
      try {
        await (inBatches ? this.#receiveBatches(source) : this.#receiveEach(source));
      } catch (error) {
        await this.#noteAndWait(error);
      }
      // Its messages may be under way for hours, which must not keep the next receiver waiting.
      const closing = source.close().catch(() => {});
      this.#closing.add(closing);
      void closing.then(() => this.#closing.delete(closing));
    }
  }

  async #receiveEach(source: MessageSource): Promise<void> {
    const credit = await Promise.race([this.#credit.begin(), this.#stopping.promise]);
    if (credit === undefined) return;
    let isPresent = true;
    const processMessage = (message: ServiceBusReceivedMessage) => {
      this.#noteConnection();
      const work = source.use([message], () => this.#slots.use(() => this.#runOne(source, message)));
      void work.catch((error) => this.#noteError(error, "processMessage")).finally(() => this.#credit.give());
      return this.#credit.take(isPresent);
    };
    const subscription = source.receiver.subscribe(
      { processMessage, processError: async ({ error, errorSource }) => this.#noteError(error, errorSource) },
      { autoCompleteMessages: false, maxConcurrentCalls: credit },
    );
    await Promise.race([source.worn, this.#stopping.promise]);
    isPresent = false;
    await subscription.close();
    this.#credit.end();
  }

  async #receiveBatches(source: MessageSource): Promise<void> {
    while (!this.#isStopping && !source.isWorn) {
      try {
        const messages = await source.receiver.receiveMessages(this.#settings.maxMessageBatchSize, {
          maxWaitTimeInMs: batchWaitMs,
        });
        this.#noteConnection();
        if (messages.length > 0) await source.use(messages, () => this.#runMany(source, messages));
      } catch (error) {
        await this.#noteAndWait(error);
      }
    }
  }

  #runOne(source: MessageSource, message: ServiceBusReceivedMessage): Promise<void> {
    return this.#run(source, [message], {
      inputData: [{ name: this.#fn.trigger.name, data: { string: messageText(message) } }],
      triggerMetadata: messageMetadata(message),
      ...traceOf(message),
    });
  }

  #runMany(source: MessageSource, messages: ServiceBusReceivedMessage[]): Promise<void> {
    const data = { collectionString: { string: messages.map(messageText) } };
    return this.#run(source, messages, {
      inputData: [{ name: this.#fn.trigger.name, data }],
      triggerMetadata: batchMetadata(messages),
    });
  }

  async #run(source: MessageSource, messages: ServiceBusReceivedMessage[], request: InvocationRequest): Promise<void> {
    const deliveries = messages.map((message) => ({ message, renewal: this.#keepLocked(source, message) }));
    const outcome = await this.#worker.invoke(this.#fn, request);
    for (const { renewal } of deliveries) renewal.stop();
    const held = deliveries.filter(({ renewal }) => !renewal.lost).map(({ message }) => message);
    if (outcome.error !== undefined) {
      const ids = messages.map((message) => message.messageId).join(", ");
      this.#worker.writeLog("error", this.#fn.name, `failed on message ${ids}: ${describeError(outcome.error)}`);
      // Also with autoCompleteMessages off: the extension abandons what its function failed on.
      await Promise.all(held.map((message) => this.#settle("abandon", source, message)));
    } else if (this.#completes) {
      await Promise.all(held.map((message) => this.#settle("complete", source, message)));
    }
  }

  #keepLocked({ receiver }: MessageSource, message: ServiceBusReceivedMessage): LockRenewal {
    const lost = () =>
      this.#worker.writeLog("warning", this.#fn.name, `lost the lock of message ${message.messageId}: it comes again`);
    const failed = (error: unknown) => this.#noteError(error, "renewLock");
    return new LockRenewal(receiver, message, this.#settings.maxAutoLockRenewalMs, { lost, failed });
  }

  async #settle(how: "complete" | "abandon", source: MessageSource, message: ServiceBusReceivedMessage): Promise<void> {
    const { receiver } = source;
    await this.#gate.pass();
    try {
      await (how === "complete" ? receiver.completeMessage(message) : receiver.abandonMessage(message));
      source.settled(message);
    } catch (error) {
      // The lock runs out and the message comes again: at-least-once delivery, as in Azure.
      this.#worker.writeLog("warning", this.#fn.name, `could not ${how} message ${message.messageId}: ${brief(error)}`);
    }
  }

  #noteConnection(): void {
    this.#connected = true;
  }

  /** The SDK reports each attempt to connect again; the first of a row says it all. */
  #noteError(error: unknown, what: string): void {
    // A link that had nothing to do for ten minutes: the real host opens it again without a word.
    if (this.#isStopping || !this.#connected || String(error).includes("IdleTimerExpired")) return;
    this.#connected = false;
    this.#worker.writeLog("warning", this.#fn.name, `${what}: ${brief(error)} (keeps trying)`);
  }

  async #noteAndWait(error: unknown): Promise<void> {
    this.#noteError(error, "receive");
    await new Promise((resolve) => setTimeout(resolve, retryOptions.retryDelayInMs));
  }
}

async function connect(connection: string): Promise<ServiceBusClient> {
  const setting = resolveSettings(connection);
  const connectionString = process.env[setting] ?? process.env[`AzureWebJobs${setting}`];
  if (connectionString) return new ServiceBusClient(connectionString, { retryOptions });
  const namespace = process.env[`${setting}__fullyQualifiedNamespace`];
  if (!namespace) {
    throw new Error(`The Service Bus connection ${setting} (or ${setting}__fullyQualifiedNamespace) is not set.`);
  }
  const { DefaultAzureCredential, ManagedIdentityCredential } = await import("@azure/identity");
  const clientId = process.env[`${setting}__clientId`];
  const isManaged = process.env[`${setting}__credential`]?.toLowerCase() === "managedidentity";
  const credential = isManaged
    ? new ManagedIdentityCredential(clientId ? { clientId } : {})
    : new DefaultAzureCredential(clientId ? { managedIdentityClientId: clientId } : {});
  return new ServiceBusClient(namespace, credential, { retryOptions });
}

function queueOf(fn: RegisteredFunction): { name: string; deadLetters: boolean } {
  if (fn.trigger.topicName !== undefined) throw unsupported(fn, "topics");
  if (fn.trigger.isSessionsEnabled === true) throw unsupported(fn, "sessions");
  const path = resolveSettings(settingOf(fn, "queueName"));
  const name = path.replace(/\/\$deadletterqueue$/i, "");
  return { name, deadLetters: name !== path };
}

function settingOf(fn: RegisteredFunction, name: string): string {
  const value = fn.trigger[name];
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`Function "${fn.name}": its Service Bus trigger has no ${name}.`);
}

function unsupported(fn: RegisteredFunction, what: string): Error {
  return new Error(`Function "${fn.name}": Service Bus ${what} are not supported by this host.`);
}

/** Its sender's, as the SDKs write it, today and before. */
function traceOf(message: ServiceBusReceivedMessage): Pick<InvocationRequest, "traceContext"> {
  const id = message.applicationProperties?.traceparent ?? message.applicationProperties?.["Diagnostic-Id"];
  return typeof id === "string" ? { traceContext: { traceParent: id, traceState: "", attributes: {} } } : {};
}

function brief(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? message;
}
