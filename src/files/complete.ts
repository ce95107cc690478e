/**
 * Completing an upload, exactly repeatable: it claims the upload for one list of parts, commits the blob, and writes
 * the file with the upload in one batch. What dies in between is done again by the client's next try; nothing else sees
 * the bytes.
 */
import { createHash } from "node:crypto";
import { type Blobs, blobName } from "../blobs/blobs.ts";
import { blockIds } from "../blobs/blocks.ts";
import {
  md5Differs,
  overloaded,
  updating,
  uploadIsCompleting,
  uploadSizeDiffers,
  wrongPart,
} from "../resources/errors.ts";
import { apiObject, type FileDoc, isNewer, type UploadDoc } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import { fileDoc } from "./create.ts";
import { assertPending, EDIT_ATTEMPTS, readUpload } from "./uploads.ts";

/**
 * Longer than a request to Blob Storage can take: after that, no commit of another list is still on its way.
 * Milliseconds.
 */
const CLAIM = 180_000;

interface Completion {
  parts: string[];
  md5: string | undefined;
}

interface Tools {
  store: Store;
  blobs: Blobs;
  /** milliseconds since 1970 */
  now: () => number;
}

/** The completed upload, with its file. Throws the contract's 404 or 400. */
export async function completeUpload(
  tools: Tools,
  tenant: string,
  id: string,
  completion: Completion,
): Promise<UploadDoc> {
  const { store, blobs, now } = tools;
  for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt++) {
    const stored = await readUpload(store, tenant, id, now());
    if (stored.status === "completed" && isSame(stored.internal.claim?.parts, completion.parts)) return stored;
    if (isNewer(stored)) throw updating(1);
    assertPending(stored);
    const blocks = blocksOf(stored, completion.parts);
    const upload = await claim(tools, tenant, stored, completion.parts);
    if (upload === undefined) continue;
    const name = blobName(tenant, upload.internal.file);
    await blobs.commit(name, blocks);
    if (completion.md5 !== undefined && (await md5Of(blobs, name)) !== completion.md5.toLowerCase()) {
      await release(store, tenant, upload);
      throw md5Differs();
    }
    const file = fileOf(tenant, upload);
    const completed: UploadDoc = { ...upload, status: "completed", file: apiObject(file) };
    const result = await store.catalog(tenant).batch([{ put: completed, ifMatch: upload._etag }, { create: file }]);
    if (result.ok) return completed;
  }
  throw overloaded(1);
}

/**
 * The blocks of these parts in their order. Throws the 400 for parts that are none of this upload's, or not all of it.
 */
function blocksOf({ bytes, internal: { parts: known } }: UploadDoc, parts: string[]): string[] {
  const seen = new Set<string>();
  let sum = 0;
  const blocks: string[] = [];
  for (const id of parts) {
    const part = Object.hasOwn(known, id) ? known[id] : undefined;
    if (part === undefined || seen.has(id)) throw wrongPart(id);
    seen.add(id);
    sum += part.bytes;
    blocks.push(...blockIds(id, part.blocks));
  }
  if (sum !== bytes) throw uploadSizeDiffers(sum, bytes);
  return blocks;
}

/** The upload as it is once it is claimed for these parts; undefined if it has changed meanwhile. */
async function claim(
  { store, now }: Tools,
  tenant: string,
  upload: Versioned<UploadDoc>,
  parts: string[],
): Promise<Versioned<UploadDoc> | undefined> {
  const { claim: held } = upload.internal;
  const isOwn = isSame(held?.parts, parts);
  // Else a commit of this try could be done after the claim has ended.
  if (held !== undefined && isOwn && held.until - now() >= CLAIM / 2) return upload;
  if (held !== undefined && !isOwn && held.until > now()) throw uploadIsCompleting(upload.id);
  const claimed: UploadDoc = { ...upload, internal: { ...upload.internal, claim: { parts, until: now() + CLAIM } } };
  const result = await store.catalog(tenant).batch([{ put: claimed, ifMatch: upload._etag }]);
  return result.ok ? { ...claimed, _etag: result.etags[0] ?? "" } : undefined;
}

/** For another try with other parts, or another checksum. */
async function release(store: Store, tenant: string, upload: Versioned<UploadDoc>): Promise<void> {
  const { claim: _claim, ...internal } = upload.internal;
  await store.catalog(tenant).batch([{ put: { ...upload, internal }, ifMatch: upload._etag }]);
}

/** It was created when its upload was. */
function fileOf(tenant: string, { filename, bytes, created_at: createdAt, internal }: UploadDoc): FileDoc {
  const { file: id, purpose, expires_after: expiresAfter } = internal;
  return fileDoc(tenant, { id, purpose, filename, expiresAfter }, bytes, createdAt * 1000);
}

async function md5Of(blobs: Blobs, name: string): Promise<string | undefined> {
  const blob = await blobs.open(name);
  if (blob === undefined) return undefined;
  const hash = createHash("md5");
  for await (const chunk of blob.stream) hash.update(chunk);
  return hash.digest("hex");
}

const isSame = (a: string[] | undefined, b: string[]) => a?.length === b.length && b.every((id, at) => id === a[at]);
