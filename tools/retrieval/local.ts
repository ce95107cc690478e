/** A vector store in a local Cosmos DB, with simulated embeddings, written and searched by the app's own code. */
import { startCosmos } from "../../local/cosmos/server.ts";
import type { Settings } from "../../local/cosmos/settings.ts";
import { embeddingsOf } from "../../local/model/embeddings.ts";
import { App } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { consoleLog, type Log } from "../../src/log.ts";
import { normalised } from "../../src/model/vectors.ts";
import { type SearchRanking, searchStore } from "../../src/search/search.ts";
import { type ChunkDoc, chunkId, storeKey } from "../../src/store/documents.ts";

const TENANT = "retrieval";
const STORE = "vs_retrieval";

/** Chunks in one write. */
const BATCH = 50;

export interface SearchedStore {
  /** Adds documents, each as one chunk of a file of its own. */
  add(documents: Iterable<[id: string, text: string]>): Promise<void>;
  /** Ids of documents, the best first. */
  search(text: string, limit: number, ranking: SearchRanking): Promise<string[]>;
  /** Request units so far. */
  units(): number;
  close(): Promise<void>;
}

export interface StoreOptions {
  dimensions: number;
  /** physical partitions */
  partitions: number;
}

/** Only what goes wrong is to be read. */
const log: Log = { ...consoleLog, info: () => {}, with: () => log };

export interface SearchAppOptions extends StoreOptions {
  settings?: Partial<Settings>;
  log: Log;
}

/**
 * The app on a local Cosmos DB of its own; no model is called. `vectorOf`: the simulated embedding of a text, as
 * ingestion stores it. `close` ends both.
 */
export async function startSearchApp({ dimensions, partitions, settings = {}, log }: SearchAppOptions) {
  const cosmos = await startCosmos({ partitions, settings });
  const config = readConfig({
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    COSMOS_CREATE_CONTAINERS: "true",
    EMBEDDING_DIMENSIONS: String(dimensions),
    // Neither is called.
    MODEL_ENDPOINT: "http://127.0.0.1:1/v1",
    ServiceBusConnection: "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true",
  });
  const app = new App(config, log);
  await app.prepare();
  const vectorOf = (text: string): number[] => {
    const { data } = embeddingsOf({ model: "simulated", inputs: [text], dimensions, asBase64: false });
    return normalised(Float64Array.from(data[0]?.embedding ?? []));
  };
  const close = async () => {
    await app.close();
    await cosmos.stop();
  };
  return { app, cosmos, vectorOf, close };
}

export async function startStore({ dimensions, partitions }: StoreOptions): Promise<SearchedStore> {
  const { app, vectorOf, close } = await startSearchApp({ dimensions, partitions, log });
  return {
    async add(documents) {
      const partition = app.store.vectorStore(TENANT, STORE);
      let batch: ChunkDoc[] = [];
      const write = async () => {
        const result = await partition.batch(batch.map((create) => ({ create })));
        if (!result.ok) throw new Error(`A write was refused with status ${result.status}.`);
        batch = [];
      };
      for (const [id, text] of documents) {
        batch.push(chunkDoc(id, text, vectorOf(text)));
        if (batch.length === BATCH) await write();
      }
      if (batch.length > 0) await write();
    },
    async search(text, limit, ranking) {
      const found = await searchStore(app.store, {
        isOfChunksOnly: true,
        tenant: TENANT,
        vectorStoreId: STORE,
        queries: [{ text, vector: vectorOf(text) }],
        maxNumResults: limit,
        ranking,
        signal: AbortSignal.timeout(60_000),
      });
      return found.map(({ filename }) => filename);
    },
    units: () => Object.values(app.cost.report()).reduce((sum, { units }) => sum + units, 0),
    close,
  };
}

/** Ids of collections may have any characters, those of documents in Cosmos DB may not: so it goes by the name. */
function chunkDoc(id: string, text: string, vector: number[]): ChunkDoc {
  const file = `file-${Buffer.from(id).toString("base64url")}`;
  const pk = storeKey(TENANT, STORE);
  return {
    id: chunkId(file, 0),
    pk,
    kind: "chunk",
    file_id: file,
    filename: id,
    n: 0,
    text,
    vector,
    attributes: {},
    internal: {},
  };
}
