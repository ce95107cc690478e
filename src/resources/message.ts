/** Messages: what people and the assistant said in a thread (contract 2.1, 2.2, 3.3). */
import { z } from "zod";
import { type Metadata, metadata } from "./common.ts";

/** Longest text of a message, in UTF-16 code units. */
export const MAX_TEXT = 256_000;

const text = z.string().min(1).max(MAX_TEXT);
const detail = z.enum(["auto", "low", "high"]);
/** An image comes back with it, named or not, as recordings of the original show. */
const detailOrAuto = detail.default("auto");

const contentPart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string().max(MAX_TEXT) }),
  z.strictObject({
    type: z.literal("image_url"),
    image_url: z.strictObject({ url: z.string().min(1), detail: detailOrAuto }),
  }),
  z.strictObject({
    type: z.literal("image_file"),
    image_file: z.strictObject({ file_id: z.string().min(1), detail: detailOrAuto }),
  }),
]);

const attachment = z.strictObject({
  file_id: z.string().min(1),
  tools: z
    .array(
      z.discriminatedUnion("type", [
        z.strictObject({ type: z.literal("code_interpreter") }),
        z.strictObject({ type: z.literal("file_search") }),
      ]),
    )
    .default(() => []),
});

export const createMessageRequest = z.strictObject({
  role: z.enum(["user", "assistant"]),
  content: z.union([text, z.array(contentPart).min(1)]),
  attachments: z.array(attachment).nullable().optional(),
  metadata: metadata.optional(),
});
export type CreateMessageRequest = z.output<typeof createMessageRequest>;

export const modifyMessageRequest = z.strictObject({ metadata: metadata.optional() });

export type Annotation =
  | { type: "file_citation"; text: string; start_index: number; end_index: number; file_citation: { file_id: string } }
  | { type: "file_path"; text: string; start_index: number; end_index: number; file_path: { file_id: string } };

export type Detail = z.output<typeof detail>;
export type MessageContent =
  | { type: "text"; text: { value: string; annotations: Annotation[] } }
  | { type: "image_url"; image_url: { url: string; detail?: Detail | undefined } }
  | { type: "image_file"; image_file: { file_id: string; detail?: Detail | undefined } };

export type MessageIncompleteReason = "max_tokens" | "content_filter" | "run_cancelled" | "run_expired" | "run_failed";

export interface Message {
  id: string;
  object: "thread.message";
  created_at: number;
  assistant_id: string | null;
  thread_id: string;
  run_id: string | null;
  status: "in_progress" | "completed" | "incomplete";
  incomplete_details: { reason: MessageIncompleteReason } | null;
  completed_at: number | null;
  incomplete_at: number | null;
  role: "user" | "assistant";
  content: MessageContent[];
  attachments: z.output<typeof attachment>[];
  metadata: Metadata;
}

/** A message that a client adds: complete from the start. `createdAt` in seconds. */
export function newMessage(request: CreateMessageRequest, id: string, threadId: string, createdAt: number): Message {
  return {
    id,
    object: "thread.message",
    created_at: createdAt,
    assistant_id: null,
    thread_id: threadId,
    run_id: null,
    status: "completed",
    incomplete_details: null,
    completed_at: createdAt,
    incomplete_at: null,
    role: request.role,
    content: storedContent(request.content),
    attachments: request.attachments ?? [],
    metadata: request.metadata ?? {},
  };
}

/** A message that a run is writing. */
export function newReply(
  run: { id: string; assistant_id: string; thread_id: string },
  id: string,
  createdAt: number,
): Message {
  return {
    id,
    object: "thread.message",
    created_at: createdAt,
    assistant_id: run.assistant_id,
    thread_id: run.thread_id,
    run_id: run.id,
    status: "in_progress",
    incomplete_details: null,
    completed_at: null,
    incomplete_at: null,
    role: "assistant",
    content: [],
    attachments: [],
    metadata: {},
  };
}

/** Requests say `text: "…"`, the stored part is `text: {value, annotations}` (contract 2.1). */
function storedContent(content: CreateMessageRequest["content"]): MessageContent[] {
  if (typeof content === "string") return [textContent(content)];
  return content.map((part) => (part.type === "text" ? textContent(part.text) : part));
}

export function textContent(value: string): MessageContent {
  return { type: "text", text: { value, annotations: [] } };
}
