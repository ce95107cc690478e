/** Files in vector stores (docs/contract.md, "Vector store files"). */
import { z } from "zod";
import type { Attributes } from "./attributes.ts";
import { atMostProperties, deletedObject, MAX_FILE_ID, recordOf, time } from "./common.ts";
import type { FileError } from "./file-errors.ts";

export const VECTOR_STORE_FILE_STATUSES = ["in_progress", "completed", "failed", "cancelled"] as const;
export type VectorStoreFileStatus = (typeof VECTOR_STORE_FILE_STATUSES)[number];

const MAX_ATTRIBUTES = 16;
const MAX_ATTRIBUTE_KEY = 64;
const MAX_ATTRIBUTE_TEXT = 512;

/** Tokens. */
const SMALLEST_CHUNK = 100;
const LARGEST_CHUNK = 4_096;

const staticStrategyObject = z.strictObject({
  type: z.literal("static"),
  static: z.strictObject({ max_chunk_size_tokens: z.int(), chunk_overlap_tokens: z.int() }),
});
export type ChunkingStrategy = z.output<typeof staticStrategyObject>;

const DEFAULT_STRATEGY: ChunkingStrategy = {
  type: "static",
  static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 },
};

/** What one strategy of our own says that zod cannot: a custom rule, told in the API's validator's words. */
function halfAtMost(
  { max_chunk_size_tokens: size, chunk_overlap_tokens: overlap }: ChunkingStrategy["static"],
  context: z.RefinementCtx,
): void {
  if (overlap * 2 <= size) return;
  const params = { kind: "overlap_too_large" };
  context.addIssue({ code: "custom", params, path: ["chunk_overlap_tokens"], input: overlap });
}

/** "auto" is what is used if nothing is said. */
export const chunkingStrategy = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("auto") }),
    staticStrategyObject.extend({
      static: z
        .strictObject({
          max_chunk_size_tokens: z.int().min(SMALLEST_CHUNK).max(LARGEST_CHUNK),
          chunk_overlap_tokens: z.int().min(0),
        })
        .superRefine(halfAtMost),
    }),
  ])
  .transform((strategy) => (strategy.type === "auto" ? DEFAULT_STRATEGY : strategy));

const attributeValue = z.union([z.string().max(MAX_ATTRIBUTE_TEXT), z.number(), z.boolean()]);

/** Up to 16 pairs; null means none. */
export const attributes = z
  .preprocess(atMostProperties(MAX_ATTRIBUTES), recordOf(attributeValue, z.string().max(MAX_ATTRIBUTE_KEY)))
  .meta({ maxProperties: MAX_ATTRIBUTES })
  .nullable()
  .transform((value): Attributes => value ?? {});

const fileError: z.ZodType<FileError> = z.strictObject({
  code: z.enum(["server_error", "unsupported_file", "invalid_file"]),
  message: z.string(),
});

export const vectorStoreFileObject = z.strictObject({
  id: z.string(),
  object: z.literal("vector_store.file"),
  usage_bytes: z.int(),
  created_at: time.describe("When it was put into the store, in seconds since 1970"),
  vector_store_id: z.string(),
  status: z.enum(VECTOR_STORE_FILE_STATUSES),
  last_error: fileError.nullable(),
  chunking_strategy: staticStrategyObject,
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type VectorStoreFile = z.output<typeof vectorStoreFileObject>;

export const deletedVectorStoreFileObject = deletedObject("vector_store.file.deleted");

export const createVectorStoreFileRequest = z.strictObject({
  file_id: z.string().min(1).max(MAX_FILE_ID),
  chunking_strategy: chunkingStrategy.optional(),
  attributes: attributes.optional(),
});

/** A file that is to be put into a store. */
export type FileToAttach = z.output<typeof createVectorStoreFileRequest>;

/** The attributes are replaced whole. */
export const modifyVectorStoreFileRequest = z.strictObject({ attributes: attributes.nonoptional() });

/** `createdAt` in seconds. */
export function newVectorStoreFile(file: FileToAttach, storeId: string, createdAt: number): VectorStoreFile {
  return {
    id: file.file_id,
    object: "vector_store.file",
    usage_bytes: 0,
    created_at: createdAt,
    vector_store_id: storeId,
    status: "in_progress",
    last_error: null,
    chunking_strategy: file.chunking_strategy ?? DEFAULT_STRATEGY,
    attributes: file.attributes ?? {},
  };
}

export const fileContentObject = z.strictObject({
  object: z.literal("vector_store.file_content.page"),
  data: z.array(z.strictObject({ type: z.literal("text"), text: z.string() })),
  has_more: z.boolean(),
  next_page: z.string().nullable(),
});
