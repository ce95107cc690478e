// Service Bus queue triggers, over the real SDK: complete on success, abandon on failure.

import {
  type ProcessErrorArgs,
  RetryMode,
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from "@azure/service-bus";
import { LockRenewal } from "./lock-renewal.ts";
import { describeError } from "./log.ts";
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
  const receiver = client.createReceiver(name, {
    receiveMode: "peekLock",
    maxAutoLockRenewalDurationInMs: 0,
    // The library parses bodies itself, and binary ones must not be altered by an attempt here.
    skipParsingBodyAsJson: true,
    ...(deadLetters && { subQueueType: "deadLetter" }),
  });
  const trigger = new QueueTrigger(worker, fn, client, receiver, settings);
  if (String(fn.trigger.cardinality ?? "one").toLowerCase() === "many") trigger.receiveBatches();
  else trigger.subscribe();
  return trigger;
}

class QueueTrigger implements Listener {
  readonly #worker: Worker;
  readonly #fn: RegisteredFunction;
  readonly #client: ServiceBusClient;
  readonly #receiver: ServiceBusReceiver;
  readonly #settings: ServiceBusSettings;
  readonly #completes: boolean;
  readonly #gate = new SettlementGate();
  readonly #slots: Slots;
  readonly #underWay = new Set<Promise<void>>();
  #stopReceiving: () => Promise<void> = async () => {};
  #stopping = false;
  #connected = true;

  constructor(
    worker: Worker,
    fn: RegisteredFunction,
    client: ServiceBusClient,
    receiver: ServiceBusReceiver,
    settings: ServiceBusSettings,
  ) {
    this.#worker = worker;
    this.#fn = fn;
    this.#client = client;
    this.#receiver = receiver;
    this.#settings = settings;
    this.#slots = new Slots(settings.maxConcurrentCalls);
    const own = fn.trigger.autoCompleteMessages;
    this.#completes = typeof own === "boolean" ? own : settings.autoCompleteMessages;
  }

  subscribe(): void {
    const { maxConcurrentCalls, prefetchCount } = this.#settings;
    const subscription = this.#receiver.subscribe(
      {
        processMessage: (message) => {
          this.#noteConnection();
          return this.#track(this.#slots.use(() => this.#runOne(message)));
        },
        processError: async (args) => this.#noteError(args),
      },
      // Prefetched messages wait here, and as in Azure their locks are not renewed before their turn comes.
      { autoCompleteMessages: false, maxConcurrentCalls: maxConcurrentCalls + prefetchCount },
    );
    this.#stopReceiving = () => subscription.close();
  }

  receiveBatches(): void {
    const loop = this.#receiveBatches();
    this.#stopReceiving = () => loop;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#stopReceiving();
    this.#worker.writeLog("information", this.#fn.name, "takes no more messages");
    // Messages that were on their way when the receiver stopped may still come in, so look again after each wait.
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    await this.#receiver.close();
    await this.#client.close();
  }

  async #receiveBatches(): Promise<void> {
    while (!this.#stopping) {
      try {
        const messages = await this.#receiver.receiveMessages(this.#settings.maxMessageBatchSize, {
          maxWaitTimeInMs: batchWaitMs,
        });
        this.#noteConnection();
        if (messages.length > 0) await this.#track(this.#runMany(messages));
      } catch (error) {
        this.#noteError({ error: asError(error), errorSource: "receive" });
        await new Promise((resolve) => setTimeout(resolve, retryOptions.retryDelayInMs));
      }
    }
  }

  #runOne(message: ServiceBusReceivedMessage): Promise<void> {
    return this.#run([message], {
      inputData: [{ name: this.#fn.trigger.name, data: { string: messageText(message) } }],
      triggerMetadata: messageMetadata(message),
      ...traceOf(message),
    });
  }

  #runMany(messages: ServiceBusReceivedMessage[]): Promise<void> {
    const data = { collectionString: { string: messages.map(messageText) } };
    return this.#run(messages, {
      inputData: [{ name: this.#fn.trigger.name, data }],
      triggerMetadata: batchMetadata(messages),
    });
  }

  async #run(messages: ServiceBusReceivedMessage[], request: InvocationRequest): Promise<void> {
    const deliveries = messages.map((message) => ({ message, renewal: this.#keepLocked(message) }));
    const outcome = await this.#worker.invoke(this.#fn, request);
    for (const { renewal } of deliveries) renewal.stop();
    const held = deliveries.filter(({ renewal }) => !renewal.lost).map(({ message }) => message);
    if (outcome.error !== undefined) {
      const ids = messages.map((message) => message.messageId).join(", ");
      this.#worker.writeLog("error", this.#fn.name, `failed on message ${ids}: ${describeError(outcome.error)}`);
      // Also with autoCompleteMessages off: the extension abandons what its function failed on.
      await Promise.all(held.map((message) => this.#settle("abandon", message)));
    } else if (this.#completes) {
      await Promise.all(held.map((message) => this.#settle("complete", message)));
    }
  }

  #keepLocked(message: ServiceBusReceivedMessage): LockRenewal {
    const lost = () =>
      this.#worker.writeLog("warning", this.#fn.name, `lost the lock of message ${message.messageId}: it comes again`);
    const failed = (error: unknown) => this.#noteError({ error: asError(error), errorSource: "renewLock" });
    return new LockRenewal(this.#receiver, message, this.#settings.maxAutoLockRenewalMs, { lost, failed });
  }

  async #settle(how: "complete" | "abandon", message: ServiceBusReceivedMessage): Promise<void> {
    await this.#gate.pass();
    try {
      await (how === "complete" ? this.#receiver.completeMessage(message) : this.#receiver.abandonMessage(message));
    } catch (error) {
      // The lock runs out and the message comes again: at-least-once delivery, as in Azure.
      this.#worker.writeLog("warning", this.#fn.name, `could not ${how} message ${message.messageId}: ${brief(error)}`);
    }
  }

  #track(work: Promise<void>): Promise<void> {
    this.#underWay.add(work);
    return work.finally(() => this.#underWay.delete(work));
  }

  #noteConnection(): void {
    this.#connected = true;
  }

  /** The SDK reports each attempt to connect again; the first of a row says it all. */
  #noteError({ error, errorSource }: Pick<ProcessErrorArgs, "error" | "errorSource">): void {
    if (this.#stopping || !this.#connected) return;
    this.#connected = false;
    this.#worker.writeLog("warning", this.#fn.name, `${errorSource}: ${brief(error)} (keeps trying)`);
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

function traceOf(message: ServiceBusReceivedMessage): Pick<InvocationRequest, "traceContext"> {
  const id = message.applicationProperties?.["Diagnostic-Id"];
  return typeof id === "string" ? { traceContext: { traceParent: id, traceState: "", attributes: {} } } : {};
}

function brief(error: unknown): string {
  const { message } = asError(error);
  return message.split("\n", 1)[0] ?? message;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
