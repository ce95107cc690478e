/** The real app as four processes, two for requests and two for wake-ups, on local servers that keep journals. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Container, CosmosClient } from "@azure/cosmos";
import type { Child } from "../../../local/child.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import type { Random } from "./random.ts";

/** Seconds. Short, so that a run that lost its driver finds another one soon. */
export const LEASE = 2;
const LOCK_DURATION = 3;

/** Seconds: of runs created by the first HTTP instance, and by the second, where runs are left to expire. */
const LIFETIME = 600;
const SHORT_LIFETIME = 12;

/** How far clocks may be off, either way. Milliseconds. */
const MAX_SKEW = 5_000;

export const TENANT = "faults";
const KEY = "a-key-of-the-fault-harness";

export interface ClusterOptions {
  random: Random;
  /** a broken copy of the app, say */
  appDir?: string | undefined;
  /** a file for what the processes say */
  log?: string | undefined;
}

export class Cluster {
  readonly stack: Stack;
  /** processes that ended though nobody had killed them */
  readonly crashes: string[];
  readonly #dataDir: string;
  readonly #cosmos: CosmosClient;

  constructor(stack: Stack, dataDir: string, crashes: string[]) {
    this.stack = stack;
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

  /** The store, for whoever looks into it directly. */
  get threads(): Container {
    return this.#cosmos.database("threadkeep").container("threads");
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

export async function startCluster({ random, appDir, log }: ClusterOptions): Promise<Cluster> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "threadkeep-faults-"));
  const crashes: string[] = [];
  const skew = () => ({ CLOCK_SKEW_MS: String(Math.round(random.between(-MAX_SKEW, MAX_SKEW))) });
  const stack = await startStack({
    dataDir,
    lockDuration: LOCK_DURATION,
    ...(appDir === undefined ? {} : { appDir }),
    ...(log === undefined ? {} : { log }),
    env: { ...COMMON, ...DOOR, ...skew() },
    moreHosts: [
      { name: "door-2", env: { ...skew(), RUN_LIFETIME: String(SHORT_LIFETIME) } },
      { name: "worker-1", env: { ...WORKER, ...skew() } },
      { name: "worker-2", env: { ...WORKER, ...skew() } },
    ],
    onDeath: (child, { code, signal }) => {
      crashes.push(`${child.name} ended by itself (${signal ?? code}): ${child.lastLines.slice(-3).join(" | ")}`);
    },
  });
  return new Cluster(stack, dataDir, crashes);
}

const COMMON = {
  API_KEYS: `${TENANT}:${KEY}`,
  RUN_LEASE: String(LEASE),
  RUN_LIFETIME: String(LIFETIME),
  MODEL_FIRST_TOKEN_TIMEOUT: "2",
  MODEL_TOKEN_TIMEOUT: "2",
  NODE_OPTIONS: `--import=${fileURLToPath(new URL("clock-skew.ts", import.meta.url))}`,
};

/** An instance that serves requests only. The others could serve them, too: nobody sends them any. */
const DOOR = disabled("true");
const WORKER = disabled("false");

function disabled(value: "true" | "false"): Record<string, string> {
  const names = ["run-worker", "dead-letters", "sweep"];
  return Object.fromEntries(names.map((name) => [`AzureWebJobs.${name}.Disabled`, value]));
}
