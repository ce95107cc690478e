/** The composition root: what one process of the app works with, made once from its settings. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Backlog } from "./api/backlog.ts";
import { Load } from "./api/load.ts";
import { type Config, readConfig } from "./config.ts";
import { WakeUps } from "./jobs/wake-ups.ts";
import { consoleLog, type Log } from "./log.ts";
import { Model } from "./model/client.ts";
import { countTokens } from "./model/tokens.ts";
import { Drives } from "./runs/drives.ts";
import type { Engine } from "./runs/engine.ts";
import { type CosmosConnection, connectCosmos } from "./store/cosmos.ts";
import { CostMeter } from "./store/cost.ts";
import { SnapshotCache } from "./store/snapshots.ts";
import { Store } from "./store/store.ts";
import { StoreHealth } from "./store/trouble.ts";
import { WaitingRuns } from "./store/waiting.ts";

/** Time for the first answer to leave. Milliseconds. */
const WARM_UP_PAUSE = 20;

export class App {
  /** milliseconds since 1970 */
  readonly now = (): number => Date.now();
  readonly config: Config;
  readonly log: Log;
  readonly cost = new CostMeter();
  readonly wakeUps: WakeUps;
  readonly store: Store;
  /** how many tenants share the limits */
  readonly tenants: number;
  readonly load: Load;
  readonly backlog: Backlog;
  readonly #cosmos: CosmosConnection;
  #engine: Engine | undefined;
  #warm = false;

  constructor(config: Config, log: Log) {
    this.config = config;
    this.log = log;
    // One client: its session knows every write of this process, so that the engine reads what the HTTP face has written.
    this.#cosmos = connectCosmos(config, this.cost);
    this.store = new Store(this.#cosmos.containers, "account", {
      health: new StoreHealth(this.now),
      snapshots: new SnapshotCache(),
    });
    this.tenants = new Set(config.apiKeys.map(({ tenant }) => tenant)).size;
    this.load = new Load(config.limits, this.tenants);
    const waiting = new WaitingRuns(this.#cosmos.containers.threads);
    this.backlog = new Backlog(waiting, config.limits.overdueRuns, this.now, (error) =>
      log.warn("the runs that wait could not be counted", { error }),
    );
    this.wakeUps = new WakeUps(config, (error) => log.warn("wake-up not sent; the sweep will send it", { error }));
  }

  /** Made on first use: in Azure, an instance serves either requests or wake-ups. */
  get engine(): Engine {
    this.#engine ??= {
      store: this.store.with("session"),
      model: new Model(this.config),
      wakeUps: this.wakeUps,
      config: this.config,
      log: this.log,
      owner: `${hostname()}/${process.pid}/${randomUUID()}`,
      now: this.now,
      drives: new Drives(),
      retriesInPlace: false,
    };
    return this.#engine;
  }

  /** Before the first request: creates what the settings tell it to create. */
  async prepare(): Promise<void> {
    await this.#cosmos.prepare();
  }

  /**
   * Loads what the first run will need and the first request did not. Called once that request is answered, so that only
   * requests of the same moment wait for it.
   */
  warmUp(): void {
    if (this.#warm) return;
    this.#warm = true;
    setTimeout(() => {
      const loaded = Promise.all([this.engine.model.connect(), this.wakeUps.open(), countTokens("warm")]);
      loaded.catch((error: unknown) => this.log.warn("warming up failed", { error }));
    }, WARM_UP_PAUSE);
  }

  /** The process is being stopped: its runs go to others, and its connections end. */
  async close(): Promise<void> {
    await this.#engine?.drives.stop();
    await this.wakeUps.close();
    this.#cosmos.close();
  }
}

let app: App | undefined;

/** The one app of this process. Throws with every bad setting by name. */
export function theApp(): App {
  app ??= new App(readConfig(process.env), consoleLog);
  return app;
}
