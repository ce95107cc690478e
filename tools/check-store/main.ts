/**
 * The command line: `npm run check:store -- [options]`. With the app's own COSMOS_… settings in the environment it
 * looks at that store, else at the one that `npm start` keeps in .local. It only reads. The exit code is 1 if anything
 * is wrong, 2 if it cannot check.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { CosmosClient } from "@azure/cosmos";
import { DefaultAzureCredential } from "@azure/identity";
import { z } from "zod";
import { CATALOG, THREADS } from "../../src/store/containers.ts";
import { type CatalogViolation, checkCatalog } from "./catalog.ts";
import { checkStore, type Report } from "./check-store.ts";
import { LOCAL_KEY, localStore } from "./local.ts";
import { type StoresFinding, soundVectorStores } from "./vector-stores.ts";

const HELP = `npm run check:store -- [options]

  --data DIR            the store that npm start keeps in this folder; without it, that of COSMOS_ENDPOINT, else .local
  --tolerance SECONDS   how late workers may be, and clocks may differ (60)
  --messages-deleted    messages that runs name may be missing, as clients delete some
  --json                the findings as JSON`;

const settings = z.object({
  COSMOS_ENDPOINT: z.url({ protocol: /^https?$/, error: "COSMOS_ENDPOINT is not the URL of an account" }).optional(),
  COSMOS_KEY: z.string().optional(),
  COSMOS_DATABASE: z.string().default("threadkeep"),
  RUN_EVENTS_TTL: z.coerce.number().default(86_400),
  AZURE_CLIENT_ID: z.string().optional(),
});
type Settings = z.output<typeof settings>;

/** Longer than a sweep and a wake-up take, and than clocks differ. */
const DEFAULT_TOLERANCE = "60";
const LOCAL_DATA = path.resolve(import.meta.dirname, "../../.local");

function readArguments() {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      tolerance: { type: "string", default: DEFAULT_TOLERANCE },
      "messages-deleted": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const tolerance = Number(values.tolerance);
  if (!(tolerance >= 0)) throw new Error(`--tolerance is a number of seconds, not "${values.tolerance}"`);
  const { data, json, help } = values;
  return { tolerance: tolerance * 1000, messagesAreDeleted: values["messages-deleted"], data, json, help };
}

function readSettings(): Settings {
  // App settings that exist but are empty mean "not set".
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ""));
  const result = settings.safeParse(given);
  if (result.success) return result.data;
  throw new Error(result.error.issues.map(({ message }) => message).join("\n"));
}

interface Place {
  endpoint: string;
  database: string;
  key: string | undefined;
  clientId: string | undefined;
  isRunning: boolean;
  close(): Promise<void>;
}

async function findStore(data: string | undefined, given: Settings): Promise<Place> {
  const { COSMOS_ENDPOINT: endpoint, COSMOS_KEY: key, COSMOS_DATABASE: database, AZURE_CLIENT_ID: clientId } = given;
  if (endpoint !== undefined && data === undefined) {
    // Only local servers are reached by http, and identities need https.
    const keyOf = key ?? (endpoint.startsWith("http:") ? LOCAL_KEY : undefined);
    return { endpoint, database, key: keyOf, clientId, isRunning: true, close: async () => {} };
  }
  const folder = path.resolve(data ?? LOCAL_DATA);
  const store = await localStore(folder);
  if (!store) throw new Error(`npm start has left no store in ${folder}: set COSMOS_ENDPOINT, or say --data DIR`);
  console.error(`The store in ${folder}, of an app that ${store.isRunning ? "is running" : "is stopped"}:`);
  return { ...store, database: "threadkeep", key: LOCAL_KEY, clientId: undefined };
}

function connect({ endpoint, key, clientId }: Place): CosmosClient {
  const identity = () =>
    new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId });
  return new CosmosClient({
    endpoint,
    ...(key === undefined ? { aadCredentials: identity() } : { key }),
    userAgentSuffix: "threadkeep-check",
    connectionPolicy: { enableEndpointDiscovery: !endpoint.startsWith("http:") },
  });
}

type WholeReport = Omit<Report, "violations"> & {
  violations: (Report["violations"][number] | CatalogViolation | StoresFinding)[];
};

async function check(options: ReturnType<typeof readArguments>): Promise<WholeReport> {
  const given = readSettings();
  const place = await findStore(options.data, given);
  const client = connect(place);
  try {
    const container = client.database(place.database).container(THREADS);
    const { tolerance, messagesAreDeleted } = options;
    const eventsTtl = given.RUN_EVENTS_TTL;
    const isStopped = !place.isRunning;
    const report = await checkStore(container, { tolerance, messagesAreDeleted, eventsTtl, isStopped });
    const ofCatalog = await checkCatalog(client.database(place.database).container(CATALOG), { tolerance, isStopped });
    // Nothing is overdue in a store whose app is stopped.
    const late = isStopped ? Number.POSITIVE_INFINITY : tolerance;
    const ofStores = await soundVectorStores(client.database(place.database), late);
    return { ...report, violations: [...report.violations, ...ofCatalog, ...ofStores] };
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === 404;
    throw isMissing ? new Error(`${place.endpoint} has no container ${place.database}/${THREADS}`) : error;
  } finally {
    client.dispose();
    await place.close();
  }
}

function print({ threads, documents, newer, runs, violations }: WholeReport): void {
  for (const { rule, pk, id, detail } of violations) console.log(`${rule}: ${id} ${detail} (${pk})`);
  const endings = Object.entries(runs).map(([status, count]) => `${count} ${status}`);
  console.log(`${threads} threads, ${documents} documents; runs: ${endings.join(", ") || "none"}`);
  if (newer > 0) console.log(`${newer} threads are of a newer schema version: only a build that knows it checks them.`);
  const count = violations.length;
  console.log(count === 0 ? "Nothing is wrong." : `${count} ${count === 1 ? "violation" : "violations"}.`);
}

try {
  const options = readArguments();
  if (options.help) console.log(HELP);
  else {
    const report = await check(options);
    if (options.json) console.log(JSON.stringify(report));
    else print(report);
    process.exitCode = report.violations.length === 0 ? 0 : 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
