/** Vector stores: files that are searched by meaning (docs/contract.md, "Vector stores"). */
import { z } from "zod";
import { deletedObject, MAX_FILE_ID, metadata, metadataObject, time } from "./common.ts";
import { chunkingStrategy } from "./vector-store-file.ts";

/** Files that one store holds at the most. */
export const MAX_STORE_FILES = 10_000;

/** Files that a request may create a store with. */
const MAX_NEW_FILES = 500;

const MAX_DAYS = 365;

export const fileCounts = z.strictObject({
  in_progress: z.int(),
  completed: z.int(),
  failed: z.int(),
  cancelled: z.int(),
  total: z.int(),
});
export type FileCounts = z.output<typeof fileCounts>;

export const noFiles = (): FileCounts => ({ in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 });

export const expiresAfterActivity = z.strictObject({
  anchor: z.literal("last_active_at"),
  days: z.int().min(1).max(MAX_DAYS),
});
export type ExpiresAfterActivity = z.output<typeof expiresAfterActivity>;

export const vectorStoreObject = z.strictObject({
  id: z.string(),
  object: z.literal("vector_store"),
  created_at: time,
  name: z.string().nullable(),
  description: z.string().nullable(),
  usage_bytes: z.int().describe("Bytes of text, and 1024 for each chunk"),
  bytes: z.int().optional().describe("The same, in the form of Azure OpenAI"),
  file_counts: fileCounts,
  status: z.enum(["in_progress", "completed", "expired"]),
  expires_after: expiresAfterActivity.nullable(),
  expires_at: time.nullable(),
  last_active_at: time,
  metadata: metadataObject,
});
export type VectorStore = z.output<typeof vectorStoreObject>;

export const deletedVectorStoreObject = deletedObject("vector_store.deleted");

const fields = {
  name: z.string().max(256).nullable(),
  expires_after: expiresAfterActivity.nullable(),
  metadata,
};

export const createVectorStoreRequest = z
  .strictObject({
    ...fields,
    description: z.string().max(512).nullable(),
    file_ids: z.array(z.string().min(1).max(MAX_FILE_ID)).max(MAX_NEW_FILES),
    chunking_strategy: chunkingStrategy,
  })
  .partial();
export type CreateVectorStoreRequest = z.output<typeof createVectorStoreRequest>;

/** What is absent stays as it is. */
export const modifyVectorStoreRequest = z.strictObject(fields).partial();

type NewStore = Pick<CreateVectorStoreRequest, "name" | "description" | "expires_after" | "metadata">;

/** Without what follows from counts and clock. `createdAt` in seconds. */
export function newVectorStore(
  request: NewStore,
  id: string,
  createdAt: number,
): Omit<VectorStore, "status" | "expires_at" | "bytes"> {
  return {
    id,
    object: "vector_store",
    created_at: createdAt,
    name: request.name ?? null,
    description: request.description ?? null,
    usage_bytes: 0,
    file_counts: noFiles(),
    expires_after: request.expires_after ?? null,
    last_active_at: createdAt,
    metadata: request.metadata ?? {},
  };
}

type StoredStore = ReturnType<typeof newVectorStore>;

const SECONDS_A_DAY = 86_400;

/** Seconds, or null if it never expires. */
export const expiryOf = ({ expires_after: life, last_active_at: active }: StoredStore): number | null =>
  life === null ? null : active + life.days * SECONDS_A_DAY;

/** Longer than clocks differ, so that no instance still takes the store for a living one. Milliseconds. */
const AFTER_EXPIRY = 3_600_000;

/** When what the store can be searched by may go if nothing uses it until then, in milliseconds; null: never. */
export function clearingAt(store: StoredStore): number | null {
  const end = expiryOf(store);
  return end === null ? null : end * 1000 + AFTER_EXPIRY;
}

/** `now` in milliseconds. */
export function isExpired(store: StoredStore, now: number): boolean {
  const end = expiryOf(store);
  return end !== null && end * 1000 <= now;
}

/** The store as the API shows it. `now` in milliseconds. */
export function shownVectorStore(store: StoredStore, now: number): VectorStore {
  const { id, object, created_at, name, description, usage_bytes, file_counts: counts, metadata: pairs } = store;
  const running = counts.in_progress > 0 ? "in_progress" : "completed";
  return {
    id,
    object,
    created_at,
    name,
    description,
    usage_bytes,
    file_counts: counts,
    status: isExpired(store, now) ? "expired" : running,
    expires_after: store.expires_after,
    expires_at: expiryOf(store),
    last_active_at: store.last_active_at,
    metadata: pairs,
  };
}
