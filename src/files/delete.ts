/**
 * Deleting a file. The request puts a mark in the file's place, so the file is gone at once; a wake-up does the rest,
 * and the sweep sends it again for as long as the mark is there. The bytes go last but for the mark: what dies in
 * between is done again.
 */
import { type Blobs, blobName, textName } from "../blobs/blobs.ts";
import { type FileWakeUp, fileJob, type WakeUps, type WakeUpToSend } from "../jobs/wake-ups.ts";
import type { Log } from "../log.ts";
import { noSuchFile, overloaded, updating } from "../resources/errors.ts";
import { catalogKey, type DeletedFileDoc, type FileDoc, isNewer } from "../store/documents.ts";
import type { Versioned } from "../store/partition.ts";
import type { Store } from "../store/store.ts";
import { findFile, isExpired } from "./read.ts";

/** How long the rest may take before the sweep sends another wake-up. Milliseconds. */
const DELETE_GRACE = 60_000;

/** Edits of the file that cross the deletion. */
const ATTEMPTS = 5;

/** What a deletion works with; the engine has it all. */
export interface FileTools {
  store: Store;
  /** undefined: this deployment serves no files */
  blobs: Blobs | undefined;
  wakeUps: WakeUps;
  log: Log;
  /** milliseconds since 1970 */
  now: () => number;
}

export const fileWakeUp = (tenant: string, file: string, due: number): WakeUpToSend => ({
  job: fileJob(tenant, file),
  id: `${file}/due/${due}`,
});

/** Throws the contract's 404. A file that was there and is gone when it is to be deleted counts as deleted. */
export async function deleteFile(tools: Omit<FileTools, "blobs" | "log">, tenant: string, id: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = tools.now();
    const file = await findFile(tools.store, tenant, id, now);
    if (file === undefined && attempt > 0) return;
    if (file === undefined) throw noSuchFile(id);
    if (isNewer(file)) throw updating(1);
    const due = await mark(tools.store, tenant, file, now);
    if (due === undefined) continue;
    await tools.wakeUps.sendAll([fileWakeUp(tenant, id, due)]);
    return;
  }
  throw overloaded(1);
}

/**
 * Puts the mark in the file's place; when that is due in milliseconds, or undefined if the file has changed meanwhile.
 */
async function mark(store: Store, tenant: string, file: Versioned<FileDoc>, now: number): Promise<number | undefined> {
  const due = now + DELETE_GRACE;
  const deleted: DeletedFileDoc = {
    id: file.id,
    pk: catalogKey(tenant),
    kind: "deleted_file",
    internal: { tenant, due },
  };
  const result = await store.catalog(tenant).batch([{ put: deleted, ifMatch: file._etag }]);
  return result.ok ? due : undefined;
}

/** Between two wake-ups of a file that is in many stores. Milliseconds. */
const DETACH_PAUSE = 1_000;

/** Takes a file out of everything that uses it; false if some of that is left for another wake-up. */
export type Detach = (tools: FileTools, tenant: string, id: string) => Promise<boolean>;

/** Does what is due with a file: one that has expired is deleted, and what a deleted one left is cleared away. */
export async function lookAtFile(tools: FileTools, { tenant, file: id }: FileWakeUp, detach: Detach): Promise<void> {
  const { store, blobs, wakeUps, log, now } = tools;
  const catalog = store.catalog(tenant);
  let doc = await catalog.readNewest<FileDoc | DeletedFileDoc>(id);
  if (doc === undefined || isNewer(doc)) return;
  if (doc.kind === "file") {
    if (!isExpired(doc, now()) || (await mark(store, tenant, doc, now())) === undefined) return;
    doc = await catalog.readNewest<FileDoc | DeletedFileDoc>(id);
  }
  if (doc?.kind !== "deleted_file") return;
  if (blobs === undefined) {
    log.warn("a deleted file's bytes stay: this deployment has no Blob Storage any more", { file: id, tenant });
    return;
  }
  if (!(await detach(tools, tenant, id))) {
    const at = now() + DETACH_PAUSE;
    await wakeUps.sendAll([{ ...fileWakeUp(tenant, id, at), at }]);
    return;
  }
  await blobs.delete(textName(tenant, id));
  await blobs.delete(blobName(tenant, id));
  await catalog.delete(id);
}
