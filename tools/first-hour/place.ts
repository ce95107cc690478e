/** The account and the app that are checked: their connections, and all that the checks create there. */
import { randomBytes } from "node:crypto";
import type { Container } from "@azure/cosmos";
import { ServiceBusClient } from "@azure/service-bus";
import { digestOf } from "../../src/access-settings.ts";
import type { Config } from "../../src/config.ts";
import { identity } from "../../src/identity.ts";
import { type CosmosConnection, connectCosmos } from "../../src/store/cosmos.ts";
import { CostMeter } from "../../src/store/cost.ts";
import { StoreHealth } from "../../src/store/trouble.ts";
import { AppClient } from "./app-client.ts";

/** What everything is called that the checks create. */
export const PREFIX = "first-hour";

/** Documents that could not be deleted expire by themselves. Seconds. */
const DOCUMENT_TTL = 900;

/** As Service Bus tells them, in milliseconds; 0 for a queue that does not look for duplicates. */
export interface QueueSettings {
  lockDuration: number;
  maxDeliveryCount: number;
  duplicateWindow: number;
  /** undefined: messages never expire */
  timeToLive: number | undefined;
}

export interface ScriptedTurn {
  text?: string | string[];
  firstTokenMs?: number;
  tokenMs?: number;
}

/** What differs between the local servers and Azure. */
export interface Surroundings {
  /** What part of the usual repetitions is enough here, from 0 to 1. */
  share: number;
  queueSettings(queue: string): Promise<QueueSettings>;
  /** Makes a simulated model of this name answer so; absent where the model is a real one. */
  scriptModel?(name: string, turn: ScriptedTurn): Promise<void>;
  /** Deploys a new version, or does what comes closest to it. Absent: only the operator can. */
  restartApp?(): Promise<void>;
  /** Makes the store unreachable for the app, for so many milliseconds. Absent: only the operator can. */
  blockStore?(milliseconds: number): Promise<void>;
}

export interface PlaceOptions {
  config: Config;
  /** The app's base URL, with /v1, and its key. */
  app: { url: string; key: string };
  model: string;
  /** a check that needs the operator's hands tells them what to do, and waits */
  askOperator?: (what: string) => void;
  surroundings: Surroundings;
}

export class Place {
  readonly config: Config;
  readonly model: string;
  readonly surroundings: Surroundings;
  readonly askOperator: ((what: string) => void) | undefined;
  readonly threads: Container;
  readonly app: AppClient;
  /** Whose the app's key is; undefined if the settings do not say. */
  readonly tenant: string | undefined;
  readonly serviceBus: ServiceBusClient;
  /** aborted when the operator stops the checks */
  readonly stopping = new AbortController();
  /** No two tries share a name. */
  readonly name = `${PREFIX}-${randomBytes(4).toString("hex")}`;
  readonly health = new StoreHealth(Date.now);
  readonly #meter = new CostMeter();
  readonly #cosmos: ReturnType<typeof connectCosmos>;
  readonly #partitions = new Set<string>();

  constructor({ config, app, model, askOperator, surroundings }: PlaceOptions) {
    this.config = config;
    this.model = model;
    this.surroundings = surroundings;
    this.askOperator = askOperator;
    this.#cosmos = connectCosmos(config, this.#meter, this.health);
    this.threads = this.#cosmos.containers.threads;
    this.app = new AppClient(app, this.stopping.signal);
    const digest = digestOf(app.key);
    this.tenant = config.apiKeys.find((known) => known.digest === digest)?.tenant;
    const { serviceBus } = config;
    const retryOptions = { maxRetries: 1, retryDelayInMs: 200, timeoutInMs: 10_000 };
    this.serviceBus =
      "connectionString" in serviceBus
        ? new ServiceBusClient(serviceBus.connectionString, { retryOptions })
        : new ServiceBusClient(serviceBus.namespace, identity(config), { retryOptions });
  }

  /** The app's containers, as the app's client knows them. */
  get containers(): CosmosConnection["containers"] {
    return this.#cosmos.containers;
  }

  /**
   * A partition of the app's own container, of a tenant that does not exist: no request and no sweep sees what is in
   * it.
   */
  partition(what: string): string {
    return this.use(`${this.name}:${what}`);
  }

  /** Empties this partition at the end, too. */
  use(key: string): string {
    this.#partitions.add(key);
    return key;
  }

  /** A document for such a partition. It has no due time, and its sort is in no range that the app lists. */
  document(pk: string, id: string, more: Record<string, unknown> = {}): Document {
    return { id, pk, kind: PREFIX, ttl: DOCUMENT_TTL, ...more };
  }

  /** Request units of the checks' own requests; the app's are not among them. */
  get units(): number {
    return Object.values(this.#meter.report()).reduce((sum, { units }) => sum + units, 0);
  }

  /** Deletes all that was created, and hangs up. Returns what could not be deleted, in words. */
  async close(): Promise<string[]> {
    const failed: string[] = [];
    const attempt = async (cleanUp: () => Promise<unknown>) => {
      try {
        await cleanUp();
      } catch (error) {
        failed.push(error instanceof Error ? error.message : String(error));
      }
    };
    await attempt(() => this.app.deleteAll());
    await attempt(() => this.emptyPartitions());
    await attempt(() => this.serviceBus.close());
    this.#cosmos.close();
    return failed;
  }

  async emptyPartitions(): Promise<void> {
    for (const pk of this.#partitions) await this.#empty(pk);
  }

  async #empty(pk: string): Promise<void> {
    const query = this.threads.items.query<string>("SELECT VALUE c.id FROM c", { partitionKey: pk });
    const { resources } = await query.fetchAll();
    for (let from = 0; from < resources.length; from += 100) {
      const ids = resources.slice(from, from + 100);
      await this.threads.items.batch(
        ids.map((id) => ({ operationType: "Delete" as const, id })),
        pk,
      );
    }
  }
}

export interface Document {
  id: string;
  pk: string;
  kind: string;
  ttl: number;
  [name: string]: unknown;
}
