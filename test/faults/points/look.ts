/** What only the store itself can tell. */
import { type Container, CosmosClient } from "@azure/cosmos";
import type { Stack } from "../../../local/stack.ts";
import { checkStore } from "../../../tools/check-store/check-store.ts";

export async function inStore<T>(
  { cosmos }: Pick<Stack, "cosmos">,
  look: (threads: Container) => Promise<T>,
): Promise<T> {
  const client = new CosmosClient({ ...cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  try {
    return await look(client.database("threadkeep").container("threads"));
  } finally {
    client.dispose();
  }
}

/** What breaks the rules of the store in these threads. */
export const violations = (
  stack: Stack,
  threadIds: string[],
  options: { messagesAreDeleted: boolean },
): Promise<unknown[]> =>
  inStore(stack, async (threads) => {
    const report = await checkStore(threads, { tolerance: 2_000, eventsTtl: 86_400, ...options });
    return report.violations.filter(({ pk }) => threadIds.some((id) => pk.endsWith(`:${id}`)));
  });
