/** Wake-ups: "look at this run". A message is never a command, so one that is lost, late or doubled costs only time. */
import type { ServiceBusClient, ServiceBusMessage, ServiceBusSender } from "@azure/service-bus";
import { z } from "zod";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";

/** The queue's name, in Azure and locally. */
export const QUEUE = "runs";

/** The queue of wake-ups whose tenants have their share of a worker already (src/runs/fair-worker.ts). */
export const OVERFLOW_QUEUE = "runs-overflow";

export const wakeUp = z.object({
  tenant: z.string().min(1),
  thread: z.string().min(1),
  run: z.string().min(1),
  /** whether the run is probably not queued: then claiming it without a look would most often be in vain */
  look: z.boolean().optional(),
});
export type WakeUp = z.output<typeof wakeUp>;

/** How long a client waits for the queue at the most; after that the sweep finds the run. Milliseconds. */
const SEND_TIMEOUT = 3_000;

/** Service Bus drops what nobody took: no run lives longer than a day. Milliseconds. */
const TIME_TO_LIVE = 86_400_000;

export class WakeUps {
  readonly #config: Config;
  readonly #failed: (error: unknown) => void;
  #client: Promise<ServiceBusClient> | undefined;
  readonly #senders = new Map<string, Promise<ServiceBusSender>>();
  #sent = 0;

  /** `failed` hears of wake-ups that could not be sent. */
  constructor(config: Config, failed: (error: unknown) => void) {
    this.#config = config;
    this.#failed = failed;
  }

  /** Messages handed to Service Bus since the start. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Sends, or gives up after a while: never throws, since the sweep sends every wake-up again that did not arrive.
   * `id` is for duplicate detection: the same occasion has the same id. `at` in milliseconds since 1970. Answers whether
   * Service Bus has it.
   */
  async send(job: WakeUp, id: string, at?: number): Promise<boolean> {
    return this.sendAll([{ job, id, at }]);
  }

  /** Sends to the overflow queue, like `send`. */
  async sendToOverflow(job: WakeUp, id: string): Promise<boolean> {
    return this.sendAll([{ job, id }], OVERFLOW_QUEUE);
  }

  async sendAll(
    wakeUps: { job: WakeUp; id: string; at?: number | undefined }[],
    queue: string = QUEUE,
  ): Promise<boolean> {
    const messages = wakeUps.map(({ job, id, at }): ServiceBusMessage => {
      const message: ServiceBusMessage = {
        body: job,
        messageId: id,
        contentType: "application/json",
        timeToLive: TIME_TO_LIVE,
      };
      if (at !== undefined) message.scheduledEnqueueTimeUtc = new Date(at);
      return message;
    });
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), SEND_TIMEOUT);
    try {
      const [only, ...others] = messages;
      if (only === undefined) return true;
      // The SDK makes a batch of every array, also of one.
      const sender = await this.open(queue);
      await sender.sendMessages(others.length === 0 ? only : messages, { abortSignal: patience.signal });
      this.#sent += messages.length;
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await (await this.#client)?.close();
  }

  /** Loads the library, which many requests do not need. */
  open(queue: string = QUEUE): Promise<ServiceBusSender> {
    this.#client ??= connect(this.#config);
    const sender = this.#senders.get(queue) ?? this.#client.then((client) => client.createSender(queue));
    this.#senders.set(queue, sender);
    return sender;
  }
}

async function connect(config: Config): Promise<ServiceBusClient> {
  const { ServiceBusClient } = await import("@azure/service-bus");
  const retryOptions = { maxRetries: 1, retryDelayInMs: 200, timeoutInMs: SEND_TIMEOUT };
  const { serviceBus } = config;
  if ("connectionString" in serviceBus) return new ServiceBusClient(serviceBus.connectionString, { retryOptions });
  return new ServiceBusClient(serviceBus.namespace, identity(config), { retryOptions });
}
