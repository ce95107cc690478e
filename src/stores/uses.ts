/** Taking a deleted file out of all vector stores that it is in. */
import type { Doc } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import { wholeRange } from "../store/ranges.ts";
import type { Store } from "../store/store.ts";
import { type DetachedFileDoc, type UseDoc, useSort, type VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { StorePlace } from "./attach.ts";
import { clean, deleteUse } from "./clean.ts";
import { writeMark } from "./detach.ts";
import { ATTEMPTS } from "./tools.ts";

interface UseTools {
  store: Store;
  /** milliseconds since 1970 */
  now: () => number;
}

/** Stores that one wake-up takes a file out of. */
const A_WAKE_UP = 20;

/** Takes the file out of some of its stores; whether it is in none any more. The file itself must be gone by then. */
export async function detachEverywhere(tools: UseTools, tenant: string, fileId: string): Promise<boolean> {
  const catalog = tools.store.catalog(tenant);
  const range = wholeRange((storeId) => useSort(fileId, storeId));
  const uses = await catalog.list<UseDoc>({ range, descending: false, limit: A_WAKE_UP });
  for (const { internal } of uses) await detachFrom(tools, tenant, internal.store, fileId);
  return uses.length === 0;
}

async function detachFrom(tools: UseTools, tenant: string, storeId: string, fileId: string): Promise<void> {
  const partition = tools.store.vectorStore(tenant, storeId);
  const place: StorePlace = { tenant, storeId, partition };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const doc = await partition.readNewest<Doc>(fileId);
    if (doc?.kind !== "vector_store_file") {
      const gone = { id: fileId, internal: { tenant, sort: "", claimed: true } };
      if (doc?.kind === "detached_file") await clean(tools, partition, doc as Versioned<DetachedFileDoc>, storeId);
      else await deleteUse(tools.store, partition, gone, storeId);
      return;
    }
    const result = await writeMark(place, doc as Versioned<VectorStoreFileDoc>, tools.now());
    // The store itself was deleted: its purge sees to the file.
    if (!result.ok && result.refused === "store") return;
  }
}
