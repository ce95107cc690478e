/** Threads: a conversation with metadata (contract 2.1, 2.2). */
import { z } from "zod";
import { type Metadata, metadata, type ToolResources, toolResources } from "./common.ts";
import { createMessageRequest } from "./message.ts";

export const createThreadRequest = z.strictObject({
  messages: z.array(createMessageRequest).optional(),
  tool_resources: toolResources.optional(),
  metadata: metadata.optional(),
});
export type CreateThreadRequest = z.output<typeof createThreadRequest>;

export const modifyThreadRequest = z.strictObject({
  tool_resources: toolResources.optional(),
  metadata: metadata.optional(),
});
export type ModifyThreadRequest = z.output<typeof modifyThreadRequest>;

export interface Thread {
  id: string;
  object: "thread";
  created_at: number;
  metadata: Metadata;
  tool_resources: ToolResources;
}

/** `createdAt` in seconds. */
export function newThread(request: CreateThreadRequest, id: string, createdAt: number): Thread {
  return {
    id,
    object: "thread",
    created_at: createdAt,
    metadata: request.metadata ?? {},
    tool_resources: request.tool_resources ?? {},
  };
}
