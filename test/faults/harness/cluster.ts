/** The real app as four processes, two for requests and two for wake-ups, on local servers that keep journals. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Container, CosmosClient } from "@azure/cosmos";
import type { Child } from "../../../local/child.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { trust } from "../../lib/trust.ts";
import type { Random } from "./random.ts";

/**
 * Seconds. Short, so that a run that lost its driver finds another one soon; long enough for a driver that renews it
 * about once a second to keep it, also beside slow requests and on a busy machine: a lease that ends by accident costs a
 * model call that nothing explains.
 */
export const LEASE = 5;
const LOCK_DURATION = 3;

/** Seconds: of runs created by the first HTTP instance, and by the second, where runs are left to expire. */
const LIFETIME = 600;
const SHORT_LIFETIME = 12;

export const TENANT = "faults";
const KEY = "a-key-of-the-fault-harness";

/** One tenant asks for more than its share, beside one that asks for little. */
export const FLOOD_KEY = "a-key-of-the-flooding-tenant";
export const QUIET_KEY = "a-key-of-the-quiet-tenant";

export interface ClusterOptions {
  random: Random;
  /** how far clocks may be off, either way, in milliseconds */
  skew: number;
  /** a broken copy of the app, say */
  appDir?: string | undefined;
  /** a file for what the processes say */
  log?: string | undefined;
  /**
   * The store is like most in Azure: https, endpoint discovery by the SDK, several physical partitions, an account with
   * Session consistency.
   */
  likeAzure?: boolean | undefined;
  /** There are sessions that run code, fewer than the users of a campaign would like. */
  code?: boolean | undefined;
}

/** Seconds that a session is kept for its thread. */
const SESSION_IDLE = 5;
const MAX_SESSIONS = 8;

/** How far the reads of an account with Session consistency are behind what other clients write. Milliseconds. */
const REPLICA_LAG = 250;
const LIKE_AZURE = {
  https: true,
  cosmosArgs: ["--partitions", "3", "--consistency", "session", "--lag", String(REPLICA_LAG)],
};

export class Cluster {
  readonly stack: Stack;
  /** processes that ended and had not been killed */
  readonly crashes: string[];
  /** milliseconds by which the clock of each instance is ahead */
  readonly skews: Record<string, number>;
  /** how far what one instance reads may be behind what another one has written: with room for a busy machine, in ms */
  readonly lag: number;
  readonly #dataDir: string;
  readonly #cosmos: CosmosClient;

  constructor(stack: Stack, dataDir: string, crashes: string[], skews: Record<string, number>, lag: number) {
    this.stack = stack;
    this.lag = lag;
    this.skews = skews;
    this.crashes = crashes;
    this.#dataDir = dataDir;
    this.#cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  }

  /** Those that clients call: the second makes runs that live for a short time only. */
  get doors(): [Child, Child] {
    return [this.stack.processes.functions, this.#host(0)];
  }

  get workers(): [Child, Child] {
    return [this.#host(1), this.#host(2)];
  }

  get instances(): [Child, Child, Child, Child] {
    return [...this.doors, ...this.workers];
  }

  get apiKey(): string {
    return KEY;
  }

  /** The store, to be looked into directly. */
  get threads(): Container {
    return this.#cosmos.database("threadkeep").container("threads");
  }

  /** What the timer of a worker does once a minute. */
  async sweep(): Promise<void> {
    const [worker] = this.workers;
    await fetch(`http://127.0.0.1:${worker.ports.port}/admin/functions/sweep`, { method: "POST" });
  }

  async stop(): Promise<void> {
    this.#cosmos.dispose();
    await this.stack.stop();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  #host(index: number): Child {
    const host = this.stack.processes.moreHosts[index];
    if (host === undefined) throw new Error(`the cluster has no host ${index}`);
    return host;
  }
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { random, skew, appDir, log, likeAzure, code } = options;
  const dataDir = mkdtempSync(path.join(tmpdir(), "threadkeep-faults-"));
  const crashes: string[] = [];
  const skews: Record<string, number> = {};
  const environmentOf = (name: string) => {
    const ahead = Math.round(random.between(-skew, skew));
    skews[name] = ahead;
    // The SDK sends the project with every call of the model, and the simulated model notes it down.
    return { CLOCK_SKEW_MS: String(ahead), OPENAI_PROJECT_ID: name };
  };
  const stack = await startStack({
    dataDir,
    lockDuration: LOCK_DURATION,
    ...(appDir === undefined ? {} : { appDir }),
    ...(log === undefined ? {} : { log }),
    ...(likeAzure ? LIKE_AZURE : {}),
    ...(code ? { blobs: true, code: { maxSessions: MAX_SESSIONS, idle: SESSION_IDLE, isPrepared: true } } : {}),
    env: { ...COMMON, ...DOOR, ...environmentOf("functions") },
    moreHosts: [
      { name: "door-2", env: { ...environmentOf("door-2"), RUN_LIFETIME: String(SHORT_LIFETIME) } },
      { name: "worker-1", env: { ...WORKER, ...environmentOf("worker-1") } },
      { name: "worker-2", env: { ...WORKER, ...environmentOf("worker-2") } },
    ],
    onDeath: (child, { code, signal }) => {
      crashes.push(`${child.name} ended by itself (${signal ?? code}): ${child.lastLines.slice(-3).join(" | ")}`);
    },
  });
  trust(stack.cosmos.certificate);
  return new Cluster(stack, dataDir, crashes, skews, likeAzure ? 4 * REPLICA_LAG : 0);
}

/** Streams that an instance holds: more than the users of a campaign open, fewer than the flooding tenant asks for. */
export const MAX_STREAMS = 40;

const COMMON = {
  API_KEYS: `${TENANT}:${KEY},flood:${FLOOD_KEY},quiet:${QUIET_KEY}`,
  RUN_LEASE: String(LEASE),
  RUN_LIFETIME: String(LIFETIME),
  MAX_STREAMS: String(MAX_STREAMS),
  MODEL_FIRST_TOKEN_TIMEOUT: "2",
  MODEL_TOKEN_TIMEOUT: "2",
  // A run that is taken over often is not failed for it.
  MODEL_MAX_ATTEMPTS: "20",
  NODE_OPTIONS: `--import=${fileURLToPath(new URL("clock-skew.ts", import.meta.url))}`,
};

/** An instance that serves requests only. The others could serve them, too, but get none. */
const DOOR = disabled("true");
const WORKER = disabled("false");

function disabled(value: "true" | "false"): Record<string, string> {
  const names = ["run-worker", "overflow-worker", "dead-letters", "overflow-dead-letters", "sweep"];
  return Object.fromEntries(names.map((name) => [`AzureWebJobs.${name}.Disabled`, value]));
}
