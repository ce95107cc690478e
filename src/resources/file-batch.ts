/** Batches of files that are put into a vector store together (docs/contract.md, "File batches"). */
import { z } from "zod";
import { MAX_FILE_ID, time } from "./common.ts";
import { fileCounts, noFiles } from "./vector-store.ts";
import { attributes, chunkingStrategy, createVectorStoreFileRequest } from "./vector-store-file.ts";

const MAX_BATCH_FILES = 2_000;

export const fileBatchObject = z.strictObject({
  id: z.string(),
  object: z.literal("vector_store.file_batch"),
  created_at: time,
  vector_store_id: z.string(),
  status: z.enum(["in_progress", "completed", "cancelled", "failed"]),
  file_counts: fileCounts,
});
export type FileBatch = z.output<typeof fileBatchObject>;

/** Either ids of files that share the rest, or files with a strategy and attributes each. */
export const createFileBatchRequest = z.strictObject({
  file_ids: z.array(z.string().min(1).max(MAX_FILE_ID)).min(1).max(MAX_BATCH_FILES).optional(),
  files: z.array(createVectorStoreFileRequest).min(1).max(MAX_BATCH_FILES).optional(),
  chunking_strategy: chunkingStrategy.optional(),
  attributes: attributes.optional(),
});

/** `createdAt` in seconds. */
export const newFileBatch = (storeId: string, id: string, createdAt: number): Omit<FileBatch, "status"> => ({
  id,
  object: "vector_store.file_batch",
  created_at: createdAt,
  vector_store_id: storeId,
  file_counts: noFiles(),
});
