/**
 * Starts the whole app once for all end-to-end tests. Vitest runs this only if a file of this project of the
 * configuration is in the run.
 */
import { randomBytes } from "node:crypto";
import { globSync } from "node:fs";
import path from "node:path";
import type { TestProject } from "vitest/node";
import { startStack } from "../../local/stack.ts";
import { refuseBrokenStore } from "../lib/sound-store.ts";
import { buildIfStale, PROJECT } from "./build.ts";
import { ORACLE_FILE, oracleExists } from "./oracle.ts";
import { keyOf, TENANTS_PER_FILE, tenantName } from "./tenants.ts";

/** What the tests know of the running app. */
export interface SharedStack {
  /** `http://127.0.0.1:PORT`, without a base of the API */
  origin: string;
  /** The simulated model, whose behaviour tests script. */
  modelUrl: string;
  cosmos: { endpoint: string; key: string };
  serviceBusControlUrl: string;
  /** The sessions that run code, whose faults tests inject below /_local/. */
  codeSessions: { endpoint: string; key: string };
  /** From it and a tenant's name follows the tenant's key. */
  keySeed: string;
}

declare module "vitest" {
  interface ProvidedContext {
    stack: SharedStack;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  buildIfStale();
  if (!oracleExists()) {
    console.log(`Responses are not checked against the contract's schemas: there is no ${ORACLE_FILE}.`);
  }
  // Set to a file's name to see what the servers say.
  const log = process.env.E2E_LOG ?? "quiet";
  const keySeed = randomBytes(6).toString("hex");
  // Arguments of the Cosmos DB server, such as "--consistency session --partitions 3".
  const cosmosArgs = process.env.E2E_COSMOS?.split(" ") ?? [];
  const stack = await startStack({
    env: { API_KEYS: apiKeys(keySeed), MAX_UPLOADS: "200" },
    log,
    cosmosArgs,
    blobs: true,
    // Tests leave sessions behind, and each takes 230 MB.
    code: { isPrepared: true, maxSessions: 16, idle: 60 },
  });
  project.provide("stack", {
    origin: new URL(stack.baseUrl).origin,
    modelUrl: stack.model.baseUrl,
    cosmos: stack.cosmos,
    codeSessions: stack.codeSessions ?? { endpoint: "", key: "" },
    serviceBusControlUrl: stack.serviceBus.controlUrl,
    keySeed,
  });
  return async () => {
    try {
      const { threads, documents } = await refuseBrokenStore(stack);
      console.log(`The store of the end-to-end tests: ${threads} threads, ${documents} documents, nothing wrong.`);
    } finally {
      await stack.stop();
    }
  };
}

/** Tenants for every test file, with room for each of its tests: so that no test sees what another does. */
function apiKeys(seed: string): string {
  const files = globSync("test/{e2e,contract}/**/*.test.ts", { cwd: PROJECT });
  const tenants = files.flatMap((file) =>
    Array.from({ length: TENANTS_PER_FILE }, (_, number) => tenantName(path.basename(file), number)),
  );
  return tenants.map((tenant) => `${tenant}:${keyOf(seed, tenant)}`).join(",");
}
