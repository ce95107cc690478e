/** What a thread takes up in the store. */
import { CosmosClient } from "@azure/cosmos";
import type { Stack } from "../../local/stack.ts";

/** Bytes of JSON of all documents of a thread, without Cosmos DB's own fields, by kind. */
export async function storedBytes({ cosmos }: Stack, partitionKey: string): Promise<Record<string, number>> {
  const client = new CosmosClient({ ...cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  const { items } = client.database("threadkeep").container("threads");
  const { resources } = await items.query<{ kind: string }>("SELECT * FROM c", { partitionKey }).fetchAll();
  client.dispose();
  const bytes: Record<string, number> = {};
  for (const { _rid, _self, _etag, _attachments, _ts, ...document } of resources as (Record<string, unknown> & {
    kind: string;
  })[]) {
    bytes[document.kind] = (bytes[document.kind] ?? 0) + Buffer.byteLength(JSON.stringify(document));
  }
  return bytes;
}
