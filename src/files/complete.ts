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

type Claim = NonNullable<UploadDoc["internal"]["claim"]>;

/**
 * The completed upload, with its file. Throws the contract's 404 or 400. The signal ends the reading of the file for
 * its checksum: its reason is thrown then.
 */
export async function completeUpload(
  tools: Tools,
  tenant: string,
  id: string,
  completion: Completion,
  signal?: AbortSignal,
): Promise<UploadDoc> {
  const { store, now } = tools;
  let own: Claim | undefined;
  for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt++) {
    const stored = await readUpload(store, tenant, id, now());
    if (stored.status === "completed" && isSame(stored.internal.claim?.parts, completion.parts)) return stored;
    if (isNewer(stored)) throw updating(1);
    assertPending(stored);
    const blocks = blocksOf(stored, completion.parts);
    let upload = stored;
    // What was committed stays while the claim goes on, though other requests may share it by now.
    if (own === undefined || !isSame(stored.internal.claim?.parts, own.parts) || own.until <= now()) {
      const claimed = await claim(tools, tenant, stored, completion.parts);
      if (claimed === undefined) continue;
      await commit(tools, tenant, claimed, blocks, completion.md5, signal);
      upload = claimed;
      own = claimed.internal.claim;
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

/**
 * The upload as it is once it is claimed for these parts; undefined if it has changed meanwhile. A claim for the same
 * parts is marked as shared and goes on, since the commit of the request that has it may be on its way.
 */
async function claim(
  { store, now }: Tools,
  tenant: string,
  upload: Versioned<UploadDoc>,
  parts: string[],
): Promise<Versioned<UploadDoc> | undefined> {
  const { claim: known } = upload.internal;
  const held = known !== undefined && known.until > now() ? known : undefined;
  if (held !== undefined && !isSame(held.parts, parts)) throw uploadIsCompleting(upload.id);
  // With less time left, a commit of this try could be done after the claim has ended.
  if (held?.shared && held.until - now() >= CLAIM / 2) return upload;
  const until = Math.max(now() + CLAIM, held?.until ?? 0);
  const claim: Claim = { parts, until, ...(held && { shared: true }) };
  const claimed: UploadDoc = { ...upload, internal: { ...upload.internal, claim } };
  const result = await store.catalog(tenant).batch([{ put: claimed, ifMatch: upload._etag }]);
  return result.ok ? { ...claimed, _etag: result.etags[0] ?? "" } : undefined;
}

/** Makes the blocks the content of the blob, under the claim for them. Throws the 400 of a wrong checksum. */
async function commit(
  { store, blobs }: Tools,
  tenant: string,
  upload: Versioned<UploadDoc>,
  blocks: string[],
  md5: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const name = blobName(tenant, upload.internal.file);
  await blobs.commit(name, blocks);
  if (md5 === undefined || (await md5Of(blobs, name, signal)) === md5.toLowerCase()) return;
  await release(store, tenant, upload);
  throw md5Differs();
}

/**
 * For another try with other parts at once. A claim that is shared stays until its end: other commits may be on their
 * way.
 */
async function release(store: Store, tenant: string, upload: Versioned<UploadDoc>): Promise<void> {
  const { claim, ...internal } = upload.internal;
  if (claim?.shared) return;
  await store.catalog(tenant).batch([{ put: { ...upload, internal }, ifMatch: upload._etag }]);
}

/** It was created when its upload was. */
function fileOf(tenant: string, { filename, bytes, created_at: createdAt, internal }: UploadDoc): FileDoc {
  const { file: id, purpose, expires_after: expiresAfter } = internal;
  return fileDoc(tenant, { id, purpose, filename, expiresAfter }, bytes, createdAt * 1000);
}

async function md5Of(blobs: Blobs, name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const blob = await blobs.open(name, { offset: 0 }, signal);
    if (blob === undefined) return undefined;
    const hash = createHash("md5");
    for await (const chunk of blob.stream) hash.update(chunk);
    return hash.digest("hex");
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

const isSame = (a: string[] | undefined, b: string[]) => a?.length === b.length && b.every((id, at) => id === a[at]);
