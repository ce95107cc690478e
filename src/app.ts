/** The composition root: what one process of the app works with, made once from its settings. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Config, readConfig } from "./config.ts";
import { WakeUps } from "./jobs/wake-ups.ts";
import { consoleLog, type Log } from "./log.ts";
import { Model } from "./model/client.ts";
import type { Engine } from "./runs/engine.ts";
import { connectCosmos, type Freshness } from "./store/cosmos.ts";
import { CostMeter } from "./store/cost.ts";
import { Store } from "./store/store.ts";

export class App {
  readonly config: Config;
  readonly log: Log;
  readonly cost = new CostMeter();
  readonly wakeUps: WakeUps;
  readonly #connections = new Map<Freshness, ReturnType<typeof connectCosmos>>();
  #store: Store | undefined;
  #engine: Engine | undefined;

  constructor(config: Config, log: Log) {
    this.config = config;
    this.log = log;
    this.wakeUps = new WakeUps(config, (error) => log.warn("wake-up not sent; the sweep will send it", { error }));
  }

  /** milliseconds since 1970 */
  readonly now = (): number => Date.now();

  /** The store as the HTTP face reads it. */
  get store(): Store {
    this.#store ??= new Store(this.#connect("account").containers);
    return this.#store;
  }

  /** Made on first use: in Azure, an instance serves either requests or wake-ups. */
  get engine(): Engine {
    this.#engine ??= {
      store: new Store(this.#connect("session").containers),
      model: new Model(this.config),
      wakeUps: this.wakeUps,
      config: this.config,
      log: this.log,
      owner: `${hostname()}/${process.pid}/${randomUUID()}`,
      now: this.now,
      retriesInPlace: false,
    };
    return this.#engine;
  }

  /** Before the first request: creates what the settings tell it to create. */
  async prepare(): Promise<void> {
    await this.#connect("account").prepare();
  }

  async close(): Promise<void> {
    await this.wakeUps.close();
    for (const connection of this.#connections.values()) connection.close();
  }

  #connect(freshness: Freshness) {
    const known = this.#connections.get(freshness);
    if (known !== undefined) return known;
    const connection = connectCosmos(this.config, freshness, this.cost);
    this.#connections.set(freshness, connection);
    return connection;
  }
}

let app: App | undefined;

/** The one app of this process. Throws with every bad setting by name. */
export function theApp(): App {
  app ??= new App(readConfig(process.env), consoleLog);
  return app;
}
