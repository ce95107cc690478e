/**
 * Starts the whole app once for all end-to-end tests. Vitest runs this only if a file of this project of the
 * configuration is in the run.
 */
import { randomBytes } from "node:crypto";
import { globSync } from "node:fs";
import path from "node:path";
import { CosmosClient } from "@azure/cosmos";
import type { TestProject } from "vitest/node";
import { type Stack, startStack } from "../../local/stack.ts";
import { checkStore } from "../../tools/check-store/check-store.ts";
import { buildIfStale, PROJECT } from "./build.ts";
import { ORACLE_FILE, oracleExists } from "./oracle.ts";
import { keyOf, TENANTS_PER_FILE, tenantName } from "./tenants.ts";

/** The app's default, in seconds. */
const EVENTS_TTL = 86_400;

/** What the tests know of the running app. */
export interface SharedStack {
  /** `http://127.0.0.1:PORT`, without a base of the API */
  origin: string;
  /** The simulated model, whose behaviour tests script. */
  modelUrl: string;
  cosmos: { endpoint: string; key: string };
  serviceBusControlUrl: string;
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
  const keySeed = randomBytes(8).toString("hex");
  // Arguments of the Cosmos DB server, such as "--consistency session --partitions 3".
  const cosmosArgs = process.env.E2E_COSMOS?.split(" ") ?? [];
  const stack = await startStack({ env: { API_KEYS: apiKeys(keySeed) }, log, cosmosArgs });
  project.provide("stack", {
    origin: new URL(stack.baseUrl).origin,
    modelUrl: stack.model.baseUrl,
    cosmos: stack.cosmos,
    serviceBusControlUrl: stack.serviceBus.controlUrl,
    keySeed,
  });
  return async () => {
    try {
      await refuseBrokenStore(stack);
    } finally {
      await stack.stop();
    }
  };
}

/** What all these tests have left in the store breaks no rule of `npm run check:store`. Throws with what does. */
async function refuseBrokenStore({ cosmos: { endpoint, key } }: Stack): Promise<void> {
  const client = new CosmosClient({ endpoint, key, connectionPolicy: { enableEndpointDiscovery: false } });
  const threads = client.database("threadkeep").container("threads");
  const tolerance = 60_000;
  const report = await checkStore(threads, { tolerance, eventsTtl: EVENTS_TTL, messagesAreDeleted: true });
  client.dispose();
  const { violations, documents } = report;
  console.log(`The store of the end-to-end tests: ${report.threads} threads, ${documents} documents checked.`);
  const lines = violations.map(({ rule, pk, id, detail }) => `${rule}: ${id} ${detail} (${pk})`);
  if (lines.length > 0) throw new Error(`The tests have left a broken store:\n${lines.join("\n")}`);
}

/** Tenants for every test file, with room for each of its tests: so that no test sees what another does. */
function apiKeys(seed: string): string {
  const files = globSync("test/{e2e,contract}/**/*.test.ts", { cwd: PROJECT });
  const tenants = files.flatMap((file) =>
    Array.from({ length: TENANTS_PER_FILE }, (_, number) => tenantName(path.basename(file), number)),
  );
  return tenants.map((tenant) => `${tenant}:${keyOf(seed, tenant)}`).join(",");
}
