/**
 * The command line: `npm run check:store -- [--tolerance SECONDS] [--messages-deleted] [--json]`, with the app's own
 * COSMOS_… settings in the environment. It only reads. The exit code is 1 if anything is wrong, 2 if it cannot check.
 */
import { parseArgs } from "node:util";
import { CosmosClient } from "@azure/cosmos";
import { DefaultAzureCredential } from "@azure/identity";
import { z } from "zod";
import { THREADS } from "../../src/store/containers.ts";
import { checkStore, type Report } from "./check-store.ts";

const settings = z.object({
  COSMOS_ENDPOINT: z.url({ protocol: /^https?$/, error: "set COSMOS_ENDPOINT to the account's URL" }),
  COSMOS_KEY: z.string().optional(),
  COSMOS_DATABASE: z.string().default("threadkeep"),
  RUN_EVENTS_TTL: z.coerce.number().default(86_400),
  AZURE_CLIENT_ID: z.string().optional(),
});
type Settings = z.output<typeof settings>;

/** Longer than a sweep and a wake-up take, and than clocks differ. */
const DEFAULT_TOLERANCE = "60";

function readArguments() {
  const { values } = parseArgs({
    options: {
      tolerance: { type: "string", default: DEFAULT_TOLERANCE },
      "messages-deleted": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const tolerance = Number(values.tolerance);
  if (!(tolerance >= 0)) throw new Error(`--tolerance is a number of seconds, not "${values.tolerance}"`);
  return { tolerance: tolerance * 1000, messagesAreDeleted: values["messages-deleted"], json: values.json };
}

function readSettings(): Settings {
  // App settings that exist but are empty mean "not set".
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ""));
  const result = settings.safeParse(given);
  if (result.success) return result.data;
  throw new Error(result.error.issues.map(({ message }) => message).join("\n"));
}

function connect({ COSMOS_ENDPOINT: endpoint, COSMOS_KEY: key, AZURE_CLIENT_ID: clientId }: Settings): CosmosClient {
  const identity = () =>
    new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId });
  return new CosmosClient({
    endpoint,
    ...(key === undefined ? { aadCredentials: identity() } : { key }),
    userAgentSuffix: "threadkeep-check",
    connectionPolicy: { enableEndpointDiscovery: !endpoint.startsWith("http:") },
  });
}

function print({ threads, documents, newer, runs, violations }: Report): void {
  for (const { rule, pk, id, detail } of violations) console.log(`${rule}: ${id} ${detail} (${pk})`);
  const endings = Object.entries(runs).map(([status, count]) => `${count} ${status}`);
  console.log(`${threads} threads, ${documents} documents; runs: ${endings.join(", ") || "none"}`);
  if (newer > 0) console.log(`${newer} threads are of a newer schema version: only a build that knows it checks them.`);
  console.log(violations.length === 0 ? "Nothing is wrong." : `${violations.length} violations.`);
}

try {
  const { json, ...options } = readArguments();
  const given = readSettings();
  const client = connect(given);
  const container = client.database(given.COSMOS_DATABASE).container(THREADS);
  const report = await checkStore(container, { ...options, eventsTtl: given.RUN_EVENTS_TTL });
  client.dispose();
  if (json) console.log(JSON.stringify(report));
  else print(report);
  process.exitCode = report.violations.length === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
