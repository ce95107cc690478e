/** Threads: a conversation with metadata (docs/contract.md 2.1, 2.2). */
import { z } from "zod";
import { deletedObject, metadata, metadataObject, time, toolResources, toolResourcesObject } from "./common.ts";
import { createMessageRequest } from "./message.ts";
import { newToolResources } from "./tool-resources.ts";

/** The original took 32. */
const MAX_MESSAGES = 500;

export const createThreadRequest = z.strictObject({
  messages: z.array(createMessageRequest).max(MAX_MESSAGES).optional(),
  tool_resources: newToolResources.optional(),
  metadata: metadata.optional(),
});
export type CreateThreadRequest = z.output<typeof createThreadRequest>;

export const modifyThreadRequest = z.strictObject({
  tool_resources: toolResources.optional(),
  metadata: metadata.optional(),
});
export type ModifyThreadRequest = z.output<typeof modifyThreadRequest>;

export const threadObject = z.strictObject({
  id: z.string(),
  object: z.literal("thread"),
  created_at: time,
  metadata: metadataObject,
  tool_resources: toolResourcesObject,
});
export type Thread = z.output<typeof threadObject>;

export const deletedThreadObject = deletedObject("thread.deleted");

/** Without what it may use. `createdAt` in seconds. */
export function newThread(request: CreateThreadRequest, id: string, createdAt: number): Thread {
  return {
    id,
    object: "thread",
    created_at: createdAt,
    metadata: request.metadata ?? {},
    tool_resources: {},
  };
}
