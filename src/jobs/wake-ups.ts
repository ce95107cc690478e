/**
 * Wake-ups: "look at this run", "look at this deleted thread", "look at this file". A message is never a command, so
 * one that is lost, late or doubled costs only time. Instances of an older and a newer build share the queue: a kind
 * that a build does not know is left for a newer one (newer-kinds.ts), and so is one of a newer version. What else a
 * wake-up says that a build does not know stays in it when it is sent again.
 */
import { createHash } from "node:crypto";
import type { ServiceBusClient, ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender } from "@azure/service-bus";
import { z } from "zod";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";
import { isNewerVersion } from "../resources/schema-version.ts";
import { inSendSpan } from "./wake-up-spans.ts";

/** The queue's name, in Azure and locally. */
export const QUEUE = "runs";

/** The queue of what is to be done in vector stores (ingest-jobs.ts). */
export const INGEST_QUEUE = "ingest";

/** The queue of wake-ups whose tenants have their share of a worker already (src/runs/fair-worker.ts). */
export const OVERFLOW_QUEUE = "runs-overflow";

export const wakeUp = z.looseObject({
  tenant: z.string().min(1),
  thread: z.string().min(1),
  run: z.string().min(1),
  /** whether the run is probably not queued: then claiming it without a look would most often be in vain */
  look: z.boolean().optional(),
  /** how often it has met trouble so far */
  tries: z.int().optional(),
  /**
   * the version of the run that a worker has found with an expired lease: its driver is dead if it is still this one
   */
  seen: z.string().optional(),
});
export type WakeUp = z.output<typeof wakeUp>;

const purgeWakeUp = z.object({
  kind: z.literal("purge"),
  tenant: z.string().min(1),
  thread: z.string().min(1),
  /** the due time of the mark that it is for, in milliseconds since 1970 */
  due: z.number(),
});
export type PurgeWakeUp = z.output<typeof purgeWakeUp>;

/**
 * The name of a run that no thread has. Builds that know no kinds take every message for a run's: they read this run,
 * do not find it, and are done. The sweep sends the wake-up again.
 */
const NO_RUN = "purge";

export const purgeJob = (tenant: string, thread: string, due: number): PurgeWakeUp & WakeUp => ({
  kind: "purge",
  tenant,
  thread,
  due,
  run: NO_RUN,
  look: true,
});

/** The wake-up of a purge, if the message is one that this build understands. */
export const purgeOf = (message: unknown): PurgeWakeUp | undefined => purgeWakeUp.safeParse(message).data;

const fileWakeUp = z.object({ kind: z.literal("file"), tenant: z.string().min(1), file: z.string().min(1) });
export type FileWakeUp = z.output<typeof fileWakeUp>;

/** "Look at this file": it was deleted, or has expired. */
export const fileJob = (tenant: string, file: string): FileWakeUp => ({ kind: "file", tenant, file });

/** The wake-up of a file, if the message is one that this build understands. */
export const fileOf = (message: unknown): FileWakeUp | undefined => fileWakeUp.safeParse(message).data;

/** Since which schema version wake-ups are written as they are today. */
const WRITTEN_AS = 1;

/** What every wake-up says, of whatever build: one without a version is of the first, one without a kind is a run's. */
const anyWakeUp = z.looseObject({ v: z.number().optional(), kind: z.string().optional() });
export type AnyWakeUp = z.output<typeof anyWakeUp>;

const KINDS = new Set(["run", "purge", "file", "ingest"]);

/** Whether this build does not understand the wake-up: such a one says nothing about a run. */
export function isForNewerBuild(message: unknown): message is AnyWakeUp {
  const { data } = anyWakeUp.safeParse(message);
  return data !== undefined && (isNewerVersion(data) || !KINDS.has(data.kind ?? "run"));
}

export interface WakeUpToSend {
  job: object;
  /** for duplicate detection: the same occasion has the same id */
  id: string;
  /** when it is to arrive, in milliseconds since 1970; at once if it is not said */
  at?: number | undefined;
}

/** Service Bus takes no longer ids. Characters. */
const MAX_MESSAGE_ID = 128;

/** How long a client waits for the queue at the most; after that the sweep finds the run. Milliseconds. */
export const SEND_TIMEOUT = 3_000;

/**
 * The same where the connection is not open: name, TLS, sign-in, a token of the identity and the link take their time.
 * Service Bus closes a link that was not used for ten minutes. Milliseconds.
 */
export const FIRST_SEND_TIMEOUT = 8_000;
const IDLE = 300_000;

/** Service Bus drops a message that no worker took within this time: no run lives longer than a day. Milliseconds. */
const TIME_TO_LIVE = 86_400_000;

export class WakeUps {
  readonly #config: Config;
  readonly #failed: (error: unknown) => void;
  #client: Promise<ServiceBusClient> | undefined;
  readonly #senders = new Map<string, Promise<ServiceBusSender>>();
  /** when each queue last answered; `performance.now()` */
  readonly #lastAnswer = new Map<string, number>();
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
   * `id` is for duplicate detection: the same occasion has the same id. `at` in milliseconds since 1970. Answers
   * whether Service Bus has it.
   */
  async send(job: WakeUp, id: string, at?: number): Promise<boolean> {
    return this.sendAll([{ job, id, at }]);
  }

  /** Sends a wake-up as it came to the overflow queue, like `send`. */
  async sendToOverflow(job: object, id: string): Promise<boolean> {
    return this.sendAll([{ job, id }], OVERFLOW_QUEUE);
  }

  /** Sends wake-ups to the queue of ingestion, like `sendAll`. */
  async sendToIngest(wakeUps: WakeUpToSend[]): Promise<boolean> {
    return this.sendAll(wakeUps, INGEST_QUEUE);
  }

  /**
   * As `send`, in as many batches as Service Bus wants; one that it does not take stops no other. Whether it has all.
   */
  async sendAll(wakeUps: WakeUpToSend[], queue: string = QUEUE): Promise<boolean> {
    const rest = wakeUps.map(toMessage);
    const [only] = rest;
    if (only === undefined) return true;
    // The SDK makes a batch of every array, also of one.
    if (rest.length === 1) return this.#hand(queue, only, 1);
    let hasAll = true;
    while (rest.length > 0) {
      const batch = await this.#patiently(queue, (sender, abortSignal) => sender.createMessageBatch({ abortSignal }));
      if (batch === undefined) return false;
      for (let next = rest[0]; next !== undefined && batch.tryAddMessage(next); next = rest[0]) rest.shift();
      if (batch.count === 0) {
        this.#failed(new Error(`wake-up ${rest.shift()?.messageId} is larger than the queue takes`));
        hasAll = false;
      } else if (!(await this.#hand(queue, batch, batch.count))) hasAll = false;
    }
    return hasAll;
  }

  async #hand(queue: string, messages: ServiceBusMessage | ServiceBusMessageBatch, count: number): Promise<boolean> {
    const isSent = await inSendSpan(queue, messages, async () => {
      const sent = await this.#patiently(queue, async (sender, abortSignal) => {
        await sender.sendMessages(messages, { abortSignal });
        return true;
      });
      return sent === true;
    });
    if (isSent) this.#sent += count;
    return isSent;
  }

  /** Does something with the queue, for a bounded time; `undefined` if it failed. */
  async #patiently<T>(
    queue: string,
    work: (sender: ServiceBusSender, signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    const patience = new AbortController();
    const isOpen = performance.now() - (this.#lastAnswer.get(queue) ?? Number.NEGATIVE_INFINITY) < IDLE;
    const timer = setTimeout(() => patience.abort(), isOpen ? SEND_TIMEOUT : FIRST_SEND_TIMEOUT);
    try {
      const answer = await work(await this.#open(queue), patience.signal);
      this.#lastAnswer.set(queue, performance.now());
      return answer;
    } catch (error) {
      this.#failed(error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await (await this.#client)?.close();
  }

  /** Loads the library, and opens the connection and the link to the queue: creating a sender opens nothing. */
  async warm(): Promise<void> {
    await this.#patiently(QUEUE, (sender, abortSignal) => sender.createMessageBatch({ abortSignal }));
  }

  #open(queue: string): Promise<ServiceBusSender> {
    this.#client ??= connect(this.#config);
    const sender = this.#senders.get(queue) ?? this.#client.then((client) => client.createSender(queue));
    this.#senders.set(queue, sender);
    return sender;
  }
}

function toMessage({ job, id, at }: WakeUpToSend): ServiceBusMessage {
  const message: ServiceBusMessage = {
    body: { v: WRITTEN_AS, ...job },
    messageId: id.length <= MAX_MESSAGE_ID ? id : createHash("sha256").update(id).digest("hex"),
    contentType: "application/json",
    timeToLive: TIME_TO_LIVE,
  };
  if (at !== undefined) message.scheduledEnqueueTimeUtc = new Date(at);
  return message;
}

async function connect(config: Config): Promise<ServiceBusClient> {
  const { ServiceBusClient } = await import("@azure/service-bus");
  // Longer than this app waits: where the SDK's own time is over first and its link is gone, its timer throws, which
  // ends the process (rhea-promise 3.0.3, AwaitableSender.send).
  const retryOptions = { maxRetries: 1, retryDelayInMs: 200, timeoutInMs: FIRST_SEND_TIMEOUT + 5_000 };
  const { serviceBus } = config;
  if ("connectionString" in serviceBus) return new ServiceBusClient(serviceBus.connectionString, { retryOptions });
  return new ServiceBusClient(serviceBus.namespace, identity(config), { retryOptions });
}
