/**
 * Uploads: parts are staged as blocks of the blob that the file will have, and completing commits their list. What is never
 * committed vanishes by itself, so an upload that is cancelled or expires leaves nothing to clear away.
 */
import type { StagedBlocks } from "../blobs/blocks.ts";
import { toSeconds } from "../resources/common.ts";
import { noUploadFound, overloaded, updating, uploadHasTooManyParts, uploadIsOver } from "../resources/errors.ts";
import { assertExtension, cleanFilename, purposeOf } from "../resources/file.ts";
import { mintId, nextSeq } from "../resources/ids.ts";
import {
  type CreateUploadRequest,
  MAX_UPLOAD_PARTS,
  newUpload,
  type Upload,
  type UploadPart,
} from "../resources/upload.ts";
import { catalogKey, isNewer, UNDERSTOOD, type UploadDoc } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";

/** An upload is kept for some time after it is over: a client may ask again whether it was completed. Seconds. */
const KEPT = 7_200;

/** Stores a new upload. Throws the contract's 400 for what no file may be. `now` in milliseconds. */
export async function createUpload(
  store: Store,
  tenant: string,
  request: CreateUploadRequest,
  now: number,
): Promise<UploadDoc> {
  const purpose = purposeOf(request.purpose);
  const filename = cleanFilename(request.filename);
  assertExtension(purpose, filename);
  const seq = nextSeq(now);
  const doc: UploadDoc = {
    ...newUpload(request, filename, mintId("upload", seq), toSeconds(now)),
    pk: catalogKey(tenant),
    kind: "upload",
    ttl: KEPT,
    internal: {
      file: mintId("file", seq),
      purpose,
      parts: {},
      part_count: 0,
      ...(request.expires_after && { expires_after: request.expires_after }),
    },
  };
  await store.catalog(tenant).create(doc);
  return doc;
}

/** The upload, with its status as it is by the clock; throws the contract's 404. */
export async function readUpload(store: Store, tenant: string, id: string, now: number): Promise<Versioned<UploadDoc>> {
  const upload = await store.catalog(tenant).readNewest<UploadDoc>(id);
  if (upload?.kind !== "upload") throw noUploadFound(id);
  const isExpired = upload.status === "pending" && upload.expires_at <= toSeconds(now);
  return isExpired ? { ...upload, status: "expired" } : upload;
}

/** The upload, for changing it; throws the contract's 404 or 400, or 503 if only a newer build understands it. */
export async function readPendingUpload(...[store, tenant, id, now]: Parameters<typeof readUpload>) {
  const upload = await readUpload(store, tenant, id, now);
  if (isNewer(upload)) throw updating(1);
  assertPending(upload);
  return upload;
}

export function assertPending({ id, status }: Upload): void {
  if (status !== "pending") throw uploadIsOver(id, status);
}

/** A new part's id, whose blocks begin with it. */
export const newPartId = (now: number) => mintId("part", nextSeq(now));

/** Counts a part among those of the upload. Throws the 404 or 400 of an upload that takes no more. */
export async function addPart(
  store: Store,
  tenant: string,
  uploadId: string,
  partId: string,
  { bytes, ids }: StagedBlocks,
  now: number,
): Promise<UploadPart> {
  const condition =
    `c.kind = 'upload' AND c.status = 'pending' AND c.expires_at > ${toSeconds(now)} ` +
    `AND c.internal.part_count < ${MAX_UPLOAD_PARTS} AND ${UNDERSTOOD}`;
  const set = { [`/internal/parts/${partId}`]: { bytes, blocks: ids.length } };
  const add = { "/internal/part_count": 1 };
  const result = await store.catalog(tenant).batch([{ patch: uploadId, set, add, condition }]);
  if (!result.ok) {
    await readPendingUpload(store, tenant, uploadId, now);
    throw uploadHasTooManyParts(MAX_UPLOAD_PARTS);
  }
  return { id: partId, object: "upload.part", created_at: toSeconds(now), upload_id: uploadId };
}

/** Others that change the upload meanwhile. */
export const EDIT_ATTEMPTS = 8;

/** Throws the contract's 404 or 400. `now` in milliseconds. */
export async function cancelUpload(store: Store, tenant: string, id: string, now: number): Promise<UploadDoc> {
  for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt++) {
    const upload = await readPendingUpload(store, tenant, id, now);
    const cancelled: UploadDoc = { ...upload, status: "cancelled" };
    const result = await store.catalog(tenant).batch([{ put: cancelled, ifMatch: upload._etag }]);
    if (result.ok) return cancelled;
  }
  throw overloaded(1);
}
