/** The composition root: what one process of the app works with, made once from its settings. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Backlog } from "./api/backlog.ts";
import { Load } from "./api/load.ts";
import { RareLog } from "./api/rare-log.ts";
import { Blobs } from "./blobs/blobs.ts";
import type { CodeSessions } from "./code/session.ts";
import { type Config, misspelt, readConfig } from "./config.ts";
import { Images } from "./files/images.ts";
import { identity } from "./identity.ts";
import { Slots } from "./ingest/slots.ts";
import { HandBack, type IngestTools } from "./ingest/tools.ts";
import { WakeUps } from "./jobs/wake-ups.ts";
import { consoleLog, type Log } from "./log.ts";
import { Model } from "./model/client.ts";
import { Embeddings } from "./model/embeddings.ts";
import { countTokens } from "./model/tokens.ts";
import { Drives } from "./runs/drives.ts";
import type { Engine } from "./runs/engine.ts";
import type { HostedTool } from "./runs/tools/hosted-tool.ts";
import { AccountConsistency } from "./store/consistency.ts";
import { type CosmosConnection, connectCosmos, type VectorTrouble } from "./store/cosmos.ts";
import { CostMeter } from "./store/cost.ts";
import { SnapshotCache } from "./store/snapshots.ts";
import { Store } from "./store/store.ts";
import { StoreHealth } from "./store/trouble.ts";
import { WaitingRuns } from "./store/waiting.ts";

/** Time for the first answer to leave. Milliseconds. */
const WARM_UP_PAUSE = 20;

/** By then the first answer has left, which need not wait for remarks. Milliseconds. */
const REMARKS_PAUSE = 500;

/** Before what could not be read at the start is read again. Milliseconds. */
const ASK_AGAIN_PAUSE = 5_000;

/**
 * How long a process that is stopped may release its runs, and take leave of the queue. In Azure the process ends 5 s
 * after it was told to (https://github.com/Azure/azure-functions-host, WorkerTerminateGracePeriodInSeconds).
 * Milliseconds.
 */
export const RELEASE_TIMEOUT = 3_000;
export const DISCONNECT_TIMEOUT = 1_000;

export class App {
  /** milliseconds since 1970 */
  readonly now = (): number => Date.now();
  readonly config: Config;
  readonly log: Log;
  readonly cost = new CostMeter();
  readonly wakeUps: WakeUps;
  /** undefined: this deployment serves no files */
  readonly blobs: Blobs | undefined;
  readonly store: Store;
  readonly embeddings: Embeddings;
  /** how many tenants share the limits */
  readonly tenants: number;
  readonly load: Load;
  /** Whether runs may use the code interpreter. */
  readonly runsCode: boolean;
  readonly backlog: Backlog;
  readonly #cosmos: CosmosConnection;
  #code: Promise<CodeSessions> | undefined;
  #hosted: Promise<readonly HostedTool[]> | undefined;
  #engine: Engine | undefined;
  #stopTelemetry: (() => Promise<void>) | undefined;
  #ingest: IngestTools | undefined;
  readonly #stopping = new AbortController();
  #warm = false;

  /** `hosted`: the tools that the server works for the model, if not the app's own. */
  constructor(config: Config, log: Log, hosted?: readonly HostedTool[]) {
    this.config = config;
    this.log = log;
    // One client: its session knows every write of this process, so that the engine reads what the HTTP face has
    // written.
    const health = new StoreHealth(this.now);
    const consistency = new AccountConsistency();
    this.#cosmos = connectCosmos(config, this.cost, health);
    const { containers } = this.#cosmos;
    this.store = new Store(containers, "account", { health, snapshots: new SnapshotCache(), consistency });
    const owners = [...config.apiKeys, ...(config.entra?.callers ?? [])];
    this.tenants = new Set(owners.map(({ tenant }) => tenant)).size;
    this.load = new Load(config.limits, this.tenants);
    const waiting = new WaitingRuns({ containers, health, consistency });
    this.backlog = new Backlog(waiting, config.limits.overdueRuns, this.now, (error) =>
      log.warn("the runs that wait could not be counted", { error }),
    );
    this.embeddings = new Embeddings(config);
    const { blobs, ...settings } = config;
    this.blobs = blobs && new Blobs({ ...settings, blobs });
    this.#hosted = hosted && Promise.resolve(hosted);
    this.runsCode = hosted?.some(({ type }) => type === "code_interpreter") ?? this.#canRunCode();
    this.wakeUps = new WakeUps(config, (error) => log.warn("wake-up not sent; the sweep will send it", { error }));
  }

  #canRunCode(): boolean {
    const { config, blobs, log } = this;
    if (config.code === undefined) log.info("code runs nowhere: no CODE_SESSIONS_ENDPOINT");
    else if (blobs === undefined) log.warn("code runs nowhere: its files need Blob Storage");
    return config.code !== undefined && blobs !== undefined;
  }

  /** The sessions that code runs in, loaded with the first use; undefined if this deployment has none. */
  code(): Promise<CodeSessions> | undefined {
    const { code, ...settings } = this.config;
    if (code === undefined) return undefined;
    this.#code ??= import("./code/dynamic-sessions.ts").then(
      ({ DynamicSessions }) => new DynamicSessions({ ...settings, code }),
    );
    return this.#code;
  }

  /** The tools that the server works for the model, loaded with the first run that has one. */
  hosted = (): Promise<readonly HostedTool[]> => {
    this.#hosted ??= this.#loadHosted();
    return this.#hosted;
  };

  async #loadHosted(): Promise<HostedTool[]> {
    const { store, embeddings, blobs, config, now } = this;
    const { hostedTools } = await import("./runs/tools/hosted-tools.ts");
    const sessions = blobs && (await this.code());
    const code = sessions && config.code && { sessions, blobs, timeout: config.code.timeout };
    return hostedTools({ store, embeddings, code, now });
  }

  /** Made on first use: in Azure, an instance serves either requests or wake-ups. */
  get engine(): Engine {
    this.#engine ??= {
      store: this.store.with("session"),
      model: new Model(this.config, this.log),
      blobs: this.blobs,
      images: new Images(this.blobs),
      wakeUps: this.wakeUps,
      config: this.config,
      log: this.log,
      owner: `${hostname()}/${process.pid}/${randomUUID()}`,
      now: this.now,
      drives: new Drives(),
      hosted: this.hosted,
      retriesInPlace: false,
    };
    return this.#engine;
  }

  /** Made on first use, as the engine is. */
  get ingest(): IngestTools {
    const { wakeUps, blobs, embeddings, log, now } = this;
    this.#ingest ??= {
      store: this.store.with("session"),
      ...{ wakeUps, blobs, embeddings, log, now },
      owner: `${hostname()}/${process.pid}/${randomUUID()}`,
      slots: new Slots(this.config.limits.ingestions),
      stopping: this.#stopping.signal,
    };
    return this.#ingest;
  }

  /**
   * Before the first request: creates what the settings tell it to create, and looks how fresh the account's reads are
   * and which vectors it stores. Throws if the reads are too weak or the vectors are not those of the settings: then
   * this app must not run.
   */
  async prepare(): Promise<void> {
    await this.#startTelemetry();
    await this.#cosmos.prepare();
    await Promise.all([
      this.#learn("account's consistency", () => this.#cosmos.readConsistency(), this.#judgeConsistency),
      this.#learn("container of vectors", () => this.#cosmos.readVectorTrouble(), this.#judgeVectors),
    ]);
  }

  /** Trouble with telemetry is none of the clients': the log tells of it. */
  async #startTelemetry(): Promise<void> {
    const { telemetry, hasIdentityEndpoint, managedIdentityClientId: ownId } = this.config;
    if (telemetry === undefined) return;
    const managedIdentityClientId = telemetry.appInsights?.clientId ?? ownId;
    const trouble = new RareLog(this.log, this.now);
    try {
      const { startTelemetry } = await import("./telemetry/start.ts");
      this.#stopTelemetry = startTelemetry(telemetry, {
        credential: identity({ managedIdentityClientId, hasIdentityEndpoint }),
        failed: (error) => trouble.warn("telemetry could not be sent", { error }),
      });
    } catch (error) {
      this.log.error("telemetry could not be started", { error });
    }
  }

  /** A store in trouble is asked again later: until its consistency is known the instance is not healthy. */
  async #learn<T>(what: string, read: () => Promise<T>, judge: (answer: T) => void): Promise<void> {
    let answer: T;
    try {
      answer = await read();
    } catch (error) {
      this.log.warn(`the ${what} could not be read; it is read again`, { error });
      const again = () =>
        void this.#learn(what, read, judge).catch((refusal) => this.log.error("not fit to serve", { error: refusal }));
      setTimeout(again, ASK_AGAIN_PAUSE).unref();
      return;
    }
    judge(answer);
  }

  #judgeConsistency = (level: string): void => {
    const { consistency } = this.store;
    consistency.learn(level);
    if (consistency.isTooWeak) throw new Error(tooWeak(level));
    if (consistency.isSession) this.log.error(ONLY_SESSION, { consistency: level });
    else this.log.info("the account's consistency", { consistency: level });
  };

  #judgeVectors = (trouble: VectorTrouble | undefined): void => {
    if (trouble?.isMissing) this.log.error(trouble.message);
    else if (trouble !== undefined) throw new Error(trouble.message);
  };

  /**
   * Loads what the first run will need and the first request did not. Called once that request is answered, so that
   * only requests of the same moment wait for it.
   */
  warmUp(): void {
    if (this.#warm) return;
    this.#warm = true;
    setTimeout(() => {
      const loaded = Promise.all([
        import("./runs/start.ts"),
        this.engine.model.connect(),
        this.wakeUps.warm(),
        countTokens("warm"),
      ]);
      loaded.catch((error: unknown) => this.log.warn("warming up failed", { error }));
    }, WARM_UP_PAUSE);
  }

  /**
   * The process is being stopped: its runs go to others, and its connections end. Takes no longer than the platform
   * waits before it ends the process, also if the store does not answer: then the leases of its runs end by themselves.
   */
  async close(): Promise<void> {
    const { drives } = this.#engine ?? {};
    this.#stopping.abort(new HandBack());
    if (!(await isDoneWithin(RELEASE_TIMEOUT, drives?.stop()))) {
      this.log.warn("stopped before all runs were released", { runs: drives?.count });
    }
    await isDoneWithin(DISCONNECT_TIMEOUT, Promise.all([this.wakeUps.close(), this.#stopTelemetry?.()]));
    this.#cosmos.close();
  }
}

/** Whether it is over by then. */
function isDoneWithin(milliseconds: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const done = Promise.resolve(work).then(() => true);
  return Promise.race([done, sleep(milliseconds, false, { ref: false })]);
}

const ONLY_SESSION =
  "The Cosmos DB account has Session consistency, not Strong: an instance reads its own writes, but another instance " +
  "may read them later. Set the account's default consistency to Strong (docs/operations.md, Consistency)";

const tooWeak = (level: string) =>
  `The Cosmos DB account has ${level} consistency: clients would not read what they have just written. Set the ` +
  "account's default consistency to Strong (docs/operations.md, Consistency).";

let app: App | undefined;

/** The one app of this process. Throws with every bad setting by name. */
export function theApp(): App {
  if (!app) {
    app = new App(readConfig(process.env), consoleLog);
    setTimeout(() => {
      for (const remark of misspelt(process.env)) consoleLog.warn(remark);
    }, REMARKS_PAUSE).unref();
  }
  return app;
}
