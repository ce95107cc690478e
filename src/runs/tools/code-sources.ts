/** What code works with: a pool of sessions, and the tenant's files. */

import { type Blobs, type ByteStream, blobName } from "../../blobs/blobs.ts";
import { BlobTrouble } from "../../blobs/trouble.ts";
import type { CodeSessions } from "../../code/session.ts";
import { createGenerated } from "../../files/create.ts";
import type { Store } from "../../store/store.ts";
import { StoreTrouble } from "../../store/trouble.ts";
import { filesOf } from "../../stores/files.ts";
import type { CodeSources } from "./code-files.ts";

/**
 * `store` reads with the account's freshness: other instances receive files. `timeout` of one call in seconds, `now` in
 * milliseconds.
 */
export function codeSources(
  sessions: CodeSessions,
  store: Store,
  blobs: Blobs,
  timeout: number,
  now: () => number,
): CodeSources {
  return {
    sessions,
    timeout,
    now,
    files: (tenant, ids) => filesOf(store, tenant, ids, now()),
    async open(tenant, fileId, signal) {
      const blob = await storing(signal, () => blobs.open(blobName(tenant, fileId), { offset: 0 }, signal));
      return blob && flowing(signal, blob.stream);
    },
    async save(tenant, fileId, bytes, signal) {
      await storing(signal, () => blobs.put(blobName(tenant, fileId), inOne(bytes), signal));
    },
    // The fewest bytes that can be read.
    hasBytes: async (tenant, fileId, signal) =>
      (await storing(signal, () => blobs.read(blobName(tenant, fileId), 0, signal))) !== undefined,
    keep: (tenant, file) => createGenerated(store, tenant, file, now()),
  };
}

async function* inOne(bytes: Uint8Array) {
  yield bytes;
}

/** Trouble with the bytes of files passes, as that with the store does. */
async function storing<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted || !(error instanceof BlobTrouble)) throw error;
    throw troubleOf(error);
  }
}

/** Whatever breaks a download off may pass. */
async function* flowing(signal: AbortSignal, bytes: ByteStream): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw signal.aborted ? error : troubleOf(error);
  }
}

const troubleOf = (error: unknown) =>
  new StoreTrouble("a file of the code interpreter could not be read or written", error);
