/** Attributes of a file in a store: filters of a search ask the chunks, so each chunk has them, too. */

import { wakeFiles } from "../jobs/ingest-jobs.ts";
import { noVectorStoreFileFound, overloaded, updating } from "../resources/errors.ts";
import type { VectorStoreFile } from "../resources/vector-store-file.ts";
import { apiObject, chunkId, isNewer } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import type { VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { Write } from "../store/writes.ts";
import type { StorePlace } from "./attach.ts";
import { findAttached, readAttached } from "./read.ts";
import { ATTEMPTS, GRACE, type StoreTools } from "./tools.ts";

/** Chunks that a request changes itself; a worker changes those of a larger file. */
const AT_ONCE = 500;

const CHUNKS_A_BATCH = 90;

/** Replaces the attributes of a file in a store. Throws the contract's 404. */
export async function setAttributes(
  tools: StoreTools,
  place: StorePlace,
  fileId: string,
  attributes: VectorStoreFile["attributes"],
): Promise<VectorStoreFile> {
  const { tenant, storeId, partition } = place;
  await readAttached(tools.store, tenant, storeId, fileId);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const doc = await findAttached(partition, fileId);
    if (doc === undefined) throw noVectorStoreFileFound(fileId, storeId);
    if (isNewer(doc)) throw updating(1);
    const isIngested = doc.status === "completed";
    const rest = isIngested ? { relabel: true, due: tools.now() + GRACE } : {};
    const next = { ...doc, attributes, internal: { ...doc.internal, ...rest } };
    const result = await partition.batch([{ put: next, ifMatch: doc._etag }]);
    if (!result.ok) continue;
    const stored = { ...next, _etag: result.etags[0] ?? "" };
    if (isIngested && doc.internal.done <= AT_ONCE) await relabel(place, stored);
    else if (isIngested) {
      await tools.wakeUps.sendToIngest(wakeFiles(tenant, storeId, [fileId], `labels/${stored._etag}`));
    }
    return apiObject(stored);
  }
  throw overloaded(1);
}

/**
 * Gives the chunks the file's attributes. Ends early if the file has others meanwhile: that change sees to the chunks
 * itself.
 */
export async function relabel({ partition }: StorePlace, doc: Versioned<VectorStoreFileDoc>): Promise<void> {
  const { id, attributes, internal } = doc;
  let etag = doc._etag;
  for (let from = 0; from < internal.done; from += CHUNKS_A_BATCH) {
    const writes: Write[] = [{ put: doc, ifMatch: etag }];
    for (let n = from; n < Math.min(from + CHUNKS_A_BATCH, internal.done); n++) {
      writes.push({ patch: chunkId(id, n), set: { "/attributes": attributes } });
    }
    const result = await partition.batch(writes);
    if (!result.ok) return;
    etag = result.etags[0] ?? "";
  }
  const { relabel: _done, ...rest } = internal;
  await partition.batch([{ put: { ...doc, internal: { ...rest, due: null } }, ifMatch: etag }]);
}
