/**
 * New files. Their bytes are stored before their document is: a process that dies in between leaves no file without
 * bytes.
 */
import type { Received } from "../blobs/blobs.ts";
import { toSeconds } from "../resources/common.ts";
import { fileIsEmpty } from "../resources/errors.ts";
import { type ExpiresAfter, type FileObject, newFile } from "../resources/file.ts";
import { seqOfMintedId } from "../resources/ids.ts";
import {
  catalogKey,
  type DeletedFileDoc,
  type FileDoc,
  filePurposeSort,
  fileSort,
  isNewer,
} from "../store/documents.ts";
import type { Store } from "../store/store.ts";

export interface FileToCreate {
  /** minted before its bytes were received: they are in the blob of this name */
  id: string;
  purpose: FileObject["purpose"];
  filename: string;
  expiresAfter?: ExpiresAfter | undefined;
}

/** The document of a file. `createdAt` in milliseconds. */
export function fileDoc(tenant: string, file: FileToCreate, bytes: number, createdAt: number): FileDoc {
  const seq = seqOfMintedId(file.id);
  const object = newFile({ ...file, bytes }, toSeconds(createdAt));
  return {
    ...object,
    pk: catalogKey(tenant),
    kind: "file",
    internal: {
      tenant,
      sort: fileSort(seq),
      purpose_sort: filePurposeSort(file.purpose, seq),
      ...(object.expires_at === null ? {} : { due: object.expires_at * 1000 }),
    },
  };
}

/**
 * Makes a file of bytes that are in its blob already, and that code has made. May be repeated, also with other bytes in
 * the blob; a file that was deleted since stays so. `now` in milliseconds.
 */
export async function createGenerated(
  store: Store,
  tenant: string,
  file: { id: string; filename: string; bytes: number },
  now: number,
): Promise<void> {
  const doc = fileDoc(tenant, { ...file, purpose: "assistants_output" }, file.bytes, now);
  const catalog = store.catalog(tenant);
  const result = await catalog.batch([{ create: doc }]);
  if (result.ok) return;
  if (result.status !== 409) throw new Error(`a generated file was refused with ${result.status}`);
  const known = await catalog.readNewest<FileDoc | DeletedFileDoc>(file.id);
  if (known?.kind !== "file" || known.bytes === file.bytes || isNewer(known)) return;
  // Refused: the client has deleted it at this moment.
  await catalog.batch([{ put: { ...known, bytes: file.bytes }, ifMatch: known._etag }]);
}

/** Makes the bytes that were received a file. Throws the 400 if there are none. `now` in milliseconds. */
export async function createFile(
  store: Store,
  tenant: string,
  file: FileToCreate,
  received: Received,
  now: number,
): Promise<FileDoc> {
  if (received.bytes === 0) throw fileIsEmpty();
  const doc = fileDoc(tenant, file, received.bytes, now);
  await received.commit();
  await store.catalog(tenant).create(doc);
  return doc;
}
