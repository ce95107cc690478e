/** Taking a file out of a vector store. It is out at once; its chunks go later, if it has any. */
import { wakeFiles } from "../jobs/ingest-jobs.ts";
import { noVectorStoreFileFound, overloaded, updating } from "../resources/errors.ts";
import { isNewer, seqOf } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import { type DetachedFileDoc, detachedSort, type VectorStoreFileDoc } from "../store/vector-documents.ts";
import type { StorePlace } from "./attach.ts";
import { type Counted, writeCounted } from "./counts.ts";
import { findAttached, readAttached } from "./read.ts";
import { ATTEMPTS, GRACE, type StoreTools } from "./tools.ts";

/** A mark without chunks stays for so long, for the sake of lists that go on after its file. Seconds. */
export const MARK_TTL = 3_600;

/** Throws the contract's 404. A file that was there and is gone when it is to be taken out counts as taken out. */
export async function detachFile(tools: StoreTools, place: StorePlace, fileId: string): Promise<void> {
  const { tenant, storeId, partition } = place;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const doc =
      attempt === 0 ? await readAttached(tools.store, tenant, storeId, fileId) : await findAttached(partition, fileId);
    if (doc === undefined) return;
    if (isNewer(doc)) throw updating(1);
    const mark = await writeMark(place, doc, tools.now());
    if (!mark.ok) {
      if (mark.refused === "store") throw noVectorStoreFileFound(fileId, storeId);
      continue;
    }
    if (doc.internal.claimed || doc.internal.leftover) {
      await tools.wakeUps.sendToIngest(wakeFiles(tenant, storeId, [fileId], `out/${doc.internal.sort}`));
    }
    return;
  }
  throw overloaded(1);
}

/** Puts a mark in the file's place: a worker that has the file loses it, and writes nothing more. */
export function writeMark(
  { partition, storeId }: StorePlace,
  doc: Versioned<VectorStoreFileDoc>,
  now: number,
): Promise<Counted> {
  const { status, usage_bytes: usage, internal } = doc;
  const hasRest = internal.claimed || internal.leftover;
  const mark: DetachedFileDoc = {
    id: doc.id,
    pk: doc.pk,
    kind: "detached_file",
    ...(hasRest ? {} : { ttl: MARK_TTL }),
    internal: {
      tenant: internal.tenant,
      sort: detachedSort(seqOf(internal.sort)),
      claimed: internal.claimed,
      ...(hasRest ? { due: now + GRACE } : {}),
      ...(internal.lease === null ? {} : { until: internal.lease.until }),
    },
  };
  const change = { from: status, usage: -usage, batches: internal.batches };
  return writeCounted(partition, storeId, [{ put: mark, ifMatch: doc._etag }], [change]);
}
