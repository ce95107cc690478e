/** Vector stores with chunks in them, as ingestion would have written them, and the real app's store to search them with. */
import { randomUUID } from "node:crypto";
import type { CosmosServer } from "../../../local/cosmos/server.ts";
import type { Settings } from "../../../local/cosmos/settings.ts";
import type { App } from "../../../src/app.ts";
import type { Attributes } from "../../../src/resources/attributes.ts";
import { type SearchOptions, type SearchResult, searchStore } from "../../../src/search/search.ts";
import { inBatches } from "../../../src/store/batches.ts";
import { type ChunkDoc, chunkId, storeKey } from "../../../src/store/documents.ts";
import type { Write } from "../../../src/store/writes.ts";
import { startSearchApp } from "../../../tools/retrieval/local.ts";
import { silentLog } from "../silent-log.ts";

export interface Passage {
  file: string;
  text: string;
  n?: number;
  attributes?: Attributes;
  /** the text's unless given */
  vector?: number[];
}

export interface Library {
  app: App;
  cosmos: CosmosServer;
  dimensions: number;
  /** Adds passages to a store; ids of tenant and store are any. */
  add(tenant: string, vectorStoreId: string, passages: Passage[]): Promise<void>;
  vectorOf(text: string): number[];
  search(query: string, options: Partial<SearchOptions>): Promise<SearchResult[]>;
  close(): Promise<void>;
}

export const TENANT = "acme";

interface LibraryOptions {
  partitions?: number;
  dimensions?: number;
  settings?: Partial<Settings>;
}

export async function startLibrary({ partitions = 1, dimensions = 256, settings = {} }: LibraryOptions = {}) {
  const options = { dimensions, partitions, settings, log: silentLog };
  const { app, cosmos, vectorOf, close } = await startSearchApp(options);
  const library: Library = {
    app,
    cosmos,
    dimensions,
    vectorOf,
    async add(tenant, vectorStoreId, passages) {
      const partition = app.store.vectorStore(tenant, vectorStoreId);
      const writes = passages.map(
        (passage): Write => ({ create: chunkDoc(storeKey(tenant, vectorStoreId), passage, vectorOf) }),
      );
      for (const batch of inBatches(writes)) {
        if (!(await partition.batch(batch)).ok) throw new Error("the chunks were refused");
      }
    },
    search(query, options) {
      const { tenant = TENANT, vectorStoreId = "", maxNumResults = 10, ...rest } = options;
      const queries = options.queries ?? [{ text: query, vector: vectorOf(query) }];
      const { signal = new AbortController().signal } = options;
      return searchStore(app.store, {
        ...rest,
        ...{ tenant, vectorStoreId, maxNumResults, queries, signal, isOfChunksOnly: true },
      });
    },
    close,
  };
  return library;
}

function chunkDoc(pk: string, passage: Passage, vectorOf: (text: string) => number[]): ChunkDoc {
  const { file, text, n = 0, attributes = {}, vector = vectorOf(text) } = passage;
  const id = chunkId(file, n);
  return { id, pk, kind: "chunk", file_id: file, filename: `${file}.txt`, n, text, vector, attributes, internal: {} };
}

export const newStore = () => `vs_${randomUUID()}`;
