import { CosmosClient } from "@azure/cosmos";
import type { Stack } from "../../local/stack.ts";
import { checkCatalog } from "../../tools/check-store/catalog.ts";
import { checkStore, type Report } from "../../tools/check-store/check-store.ts";
import { soundVectorStores } from "../../tools/check-store/vector-stores.ts";

/** The app's default, in seconds. */
const EVENTS_TTL = 86_400;

/** How late the workers of a busy machine may be, in milliseconds. */
const TOLERANCE = 60_000;

/** What tests have left in a stack's store breaks no rule of `npm run check:store`. Throws with what does. */
export async function refuseBrokenStore({ cosmos }: Stack, eventsTtl = EVENTS_TTL): Promise<Report> {
  const { endpoint, key } = cosmos;
  const client = new CosmosClient({ endpoint, key, connectionPolicy: { enableEndpointDiscovery: false } });
  const threads = client.database("threadkeep").container("threads");
  const report = await checkStore(threads, { tolerance: TOLERANCE, eventsTtl, messagesAreDeleted: true });
  const ofCatalog = await checkCatalog(client.database("threadkeep").container("catalog"), { tolerance: TOLERANCE });
  const ofStores = await soundVectorStores(client.database("threadkeep"), TOLERANCE);
  client.dispose();
  const lines = [...report.violations, ...ofCatalog, ...ofStores].map(
    ({ rule, pk, id, detail }) => `${rule}: ${id} ${detail} (${pk})`,
  );
  if (lines.length > 0) throw new Error(`The tests have left a broken store:\n${lines.join("\n")}`);
  return report;
}

/** Stops a stack whose tests are over, and throws if its store is broken. */
export async function stopSound(stack: Stack | undefined, eventsTtl = EVENTS_TTL): Promise<void> {
  try {
    if (stack) await refuseBrokenStore(stack, eventsTtl);
  } finally {
    await stack?.stop();
  }
}
