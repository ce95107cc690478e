/** New documents of vector stores, not yet stored. */
import { toSeconds } from "../resources/common.ts";
import { newFileBatch } from "../resources/file-batch.ts";
import { mintId, nextSeq } from "../resources/ids.ts";
import { type CreateVectorStoreRequest, clearingAt, newVectorStore } from "../resources/vector-store.ts";
import { type FileToAttach, newVectorStoreFile } from "../resources/vector-store-file.ts";
import { storeKey } from "../store/documents.ts";
import {
  attachedSort,
  attachedStatusSort,
  type FileBatchDoc,
  fileBatchSort,
  type PendingFile,
  type VectorStoreDoc,
  type VectorStoreFileDoc,
  vectorStoreSort,
} from "../store/vector-documents.ts";
import { GRACE } from "./tools.ts";

/** A store without files. `now` in milliseconds. */
export function draftStore(
  tenant: string,
  request: Omit<CreateVectorStoreRequest, "file_ids" | "chunking_strategy">,
  now: number,
): VectorStoreDoc {
  const seq = nextSeq(now);
  const id = mintId("vector_store", seq);
  const store = newVectorStore(request, id, toSeconds(now));
  const due = clearingAt(store);
  return {
    ...store,
    pk: storeKey(tenant, id),
    kind: "vector_store",
    internal: { tenant, sort: vectorStoreSort(tenant, seq), ...(due === null ? {} : { due }) },
  };
}

interface Attachment {
  tenant: string;
  storeId: string;
  file: FileToAttach;
  filename: string;
  batches: string[];
  /** whether another attachment of the same file may have left chunks */
  leftover: boolean;
}

/** A file that waits for a worker. `now` in milliseconds. */
export function draftAttached(attachment: Attachment, now: number): VectorStoreFileDoc {
  const { tenant, storeId, file, filename, batches, leftover } = attachment;
  const seq = nextSeq(now);
  return {
    ...newVectorStoreFile(file, storeId, toSeconds(now)),
    pk: storeKey(tenant, storeId),
    kind: "vector_store_file",
    internal: {
      tenant,
      sort: attachedSort(seq),
      status_sort: attachedStatusSort("in_progress", seq),
      due: now + GRACE,
      batches,
      lease: null,
      claimed: false,
      attempts: 0,
      done: 0,
      leftover,
      filename,
    },
  };
}

/** A batch object lives so long, the files in the store regardless. Seconds. */
const BATCH_TTL = 30 * 86_400;

/** A batch whose files are all still to be put into the store. `now` in milliseconds. */
export function draftBatch(
  tenant: string,
  storeId: string,
  pending: PendingFile[],
  now: number,
  hidden = false,
): FileBatchDoc {
  const seq = nextSeq(now);
  return {
    ...newFileBatch(storeId, mintId("file_batch", seq), toSeconds(now)),
    pk: storeKey(tenant, storeId),
    kind: "file_batch",
    ttl: BATCH_TTL,
    internal: { tenant, sort: fileBatchSort(seq), due: now + GRACE, cancelled: false, hidden, pending, step: 0 },
  };
}
