/** Uploads: files that are sent in parts and put together at the end. */
import { z } from "zod";
import { time } from "./common.ts";
import { expiresAfter, fileObject, MAX_FILENAME } from "./file.ts";

/** Bytes: 8 GB. */
const MAX_UPLOAD_BYTES = 8_589_934_592;

/** Bytes: 64 MB. */
export const MAX_PART_BYTES = 67_108_864;

/** 8 GB in parts of 4 MB, as small as any client cuts them. */
export const MAX_UPLOAD_PARTS = 2_048;

/** How long an upload may take. Seconds. */
const LIFETIME = 3_600;

export const createUploadRequest = z.strictObject({
  filename: z.string().min(1).max(MAX_FILENAME),
  purpose: z.string().min(1).describe("As for a file"),
  bytes: z.int().min(1).max(MAX_UPLOAD_BYTES),
  mime_type: z.string().max(256).describe("Kept by no one: the file's name says what it is"),
  expires_after: expiresAfter.optional(),
});
export type CreateUploadRequest = z.output<typeof createUploadRequest>;

export const completeUploadRequest = z.strictObject({
  part_ids: z.array(z.string().max(128)).max(MAX_UPLOAD_PARTS).describe("In the order of the file"),
  md5: z.string().max(64).optional().describe("Of the whole file, in hexadecimal digits"),
});

export const uploadObject = z.strictObject({
  id: z.string(),
  object: z.literal("upload"),
  bytes: z.int(),
  created_at: time,
  filename: z.string(),
  purpose: z.string(),
  status: z.enum(["pending", "completed", "cancelled", "expired"]),
  expires_at: time,
  file: fileObject.optional().describe("Once the upload is completed"),
});
export type Upload = z.output<typeof uploadObject>;

export const uploadPartObject = z.strictObject({
  id: z.string(),
  object: z.literal("upload.part"),
  created_at: time,
  upload_id: z.string(),
});
export type UploadPart = z.output<typeof uploadPartObject>;

/** `createdAt` in seconds. */
export function newUpload(
  { bytes, purpose }: CreateUploadRequest,
  filename: string,
  id: string,
  createdAt: number,
): Upload {
  return {
    id,
    object: "upload",
    bytes,
    created_at: createdAt,
    filename,
    purpose,
    status: "pending",
    expires_at: createdAt + LIFETIME,
  };
}
