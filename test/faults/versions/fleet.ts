/** Two instances of each of two builds on one store and one queue, of which some run at a time. */
import { rmSync } from "node:fs";
import { type Container, CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import type { Child } from "../../../local/child.ts";
import { randomNumbers } from "../../../local/random.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { buildIfStale, PROJECT } from "../../e2e/build.ts";
import { makeNewerBuild } from "./newer-build.ts";

export type Build = "older" | "newer";

const TENANT = "versions";

interface Instance {
  build: Build;
  child: Child;
  isUp: boolean;
}

export class Fleet {
  readonly client: OpenAI;
  readonly threads: Container;
  /** what ended although the test had not stopped it */
  readonly crashes: string[];
  readonly stack: Stack;
  readonly #instances: Instance[];
  readonly #newerDir: string;
  readonly #cosmos: CosmosClient;
  #updating = 0;
  readonly #random = randomNumbers(1);

  constructor(stack: Stack, builds: Build[], newerDir: string, crashes: string[]) {
    this.stack = stack;
    this.crashes = crashes;
    this.#newerDir = newerDir;
    const children = [stack.processes.functions, ...stack.processes.moreHosts];
    this.#instances = builds.flatMap((build, index) => {
      const child = children[index];
      return child === undefined ? [] : [{ build, child, isUp: true }];
    });
    this.#cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
    this.threads = this.#cosmos.database("threadkeep").container("threads");
    this.client = new OpenAI({
      apiKey: stack.apiKey,
      baseURL: "http://127.0.0.1/v1",
      maxRetries: 5,
      fetch: async (input, init) => {
        const url = this.#routed(new URL(input instanceof Request ? input.url : input));
        const response = await fetch(url, init);
        if (response.status === 503) this.#updating += 1;
        return response;
      },
    });
  }

  /** How often an older instance has left a request to a newer one. */
  get updating(): number {
    return this.#updating;
  }

  isUp(build: Build): boolean {
    return this.#instances.some((each) => each.build === build && each.isUp);
  }

  /** Starts one more instance of the build. */
  async start(build: Build): Promise<void> {
    const next = this.#instances.find((each) => each.build === build && !each.isUp);
    if (next === undefined) throw new Error(`all instances of the ${build} build run already`);
    await next.child.start();
    next.isUp = true;
  }

  /** Stops one instance of the build as the platform does: no new requests, then SIGTERM and a grace. */
  async stop(build: Build): Promise<void> {
    const last = this.#instances.find((each) => each.build === build && each.isUp);
    if (last === undefined) throw new Error(`no instance of the ${build} build runs`);
    last.isUp = false;
    await last.child.kill("SIGTERM");
  }

  partitionOf(threadId: string): string {
    return `${TENANT}:${threadId}`;
  }

  async close(): Promise<void> {
    this.#cosmos.dispose();
    await this.stack.stop();
    rmSync(this.#newerDir, { recursive: true, force: true });
  }

  /** Each request goes to an instance by chance, as through a load balancer. */
  #routed(url: URL): URL {
    const up = this.#instances.filter(({ isUp }) => isUp);
    const chosen = up[Math.floor(this.#random() * up.length)];
    if (chosen === undefined) throw new Error("no instance runs");
    url.port = String(chosen.child.ports.port);
    return url;
  }
}

/** A fleet of which both instances of `first` run. */
export async function startFleet(first: Build): Promise<Fleet> {
  buildIfStale();
  const newerDir = makeNewerBuild();
  const appDirs: Record<Build, string> = { older: PROJECT, newer: newerDir };
  const second: Build = first === "older" ? "newer" : "older";
  const builds: Build[] = [first, first, second, second];
  const crashes: string[] = [];
  const stack = await startStack({
    appDir: appDirs[first],
    lockDuration: 3,
    graceSeconds: 1,
    ...(process.env.LOG === undefined ? {} : { log: process.env.LOG }),
    env: { API_KEYS: `${TENANT}:a-key-of-the-version-tests`, RUN_LEASE: "2" },
    moreHosts: builds.slice(1).map((build, index) => ({
      name: `${build}-${index + 2}`,
      env: {},
      appDir: appDirs[build],
    })),
    onDeath: (child, { code, signal }) => {
      crashes.push(`${child.name} ended by itself (${signal ?? code}): ${child.lastLines.slice(-3).join(" | ")}`);
    },
  });
  const fleet = new Fleet(stack, builds, newerDir, crashes);
  await Promise.all([fleet.stop(second), fleet.stop(second)]);
  return fleet;
}
