/** What a thread takes up in the store, and what its short-lived documents cost when they go. */
import { type Container, CosmosClient } from "@azure/cosmos";
import type { Stack } from "../../local/stack.ts";

interface Stored {
  id: string;
  kind: string;
  /** seconds; absent for what stays */
  ttl?: number;
}

export class StoredThreads {
  readonly #client: CosmosClient;
  readonly #threads: Container;

  constructor({ cosmos }: Stack) {
    this.#client = new CosmosClient({ ...cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
    this.#threads = this.#client.database("threadkeep").container("threads");
  }

  /** Bytes of JSON of all documents of a thread, without Cosmos DB's own fields, by kind. */
  async bytes(partition: string): Promise<Record<string, number>> {
    const bytes: Record<string, number> = {};
    for (const stored of await this.#documents(partition)) {
      const { _rid, _self, _etag, _attachments, _ts, ...document } = stored as Stored & Record<string, unknown>;
      bytes[document.kind] = (bytes[document.kind] ?? 0) + Buffer.byteLength(JSON.stringify(document));
    }
    return bytes;
  }

  /**
   * Deletes the documents of a thread that would expire by themselves, and answers with the request units: a serverless
   * account charges the end of a document as a delete (Azure Cosmos DB documentation, "Time to live").
   */
  async expire(partition: string): Promise<number> {
    const expiring = (await this.#documents(partition)).filter(({ ttl }) => ttl !== undefined);
    const answers = await Promise.all(expiring.map(({ id }) => this.#threads.item(id, partition).delete()));
    return answers.reduce((sum, { requestCharge }) => sum + requestCharge, 0);
  }

  close(): void {
    this.#client.dispose();
  }

  async #documents(partitionKey: string): Promise<Stored[]> {
    const query = this.#threads.items.query<Stored>("SELECT * FROM c", { partitionKey });
    return (await query.fetchAll()).resources;
  }
}
