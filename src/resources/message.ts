/** Messages: what people and the assistant said in a thread (docs/contract.md 2.1, 2.2, 3.3). */
import { z } from "zod";
import { deletedObject, MAX_FILE_ID, metadata, metadataObject, time } from "./common.ts";

/** Longest text of a message, in characters of Unicode. */
export const MAX_TEXT = 256_000;

const detail = z.enum(["auto", "low", "high"]);
const imageUrl = z.strictObject({ url: z.string().min(1), detail: detail.optional() });
const imageFile = z.strictObject({ file_id: z.string().min(1), detail: detail.optional() });

const annotation = z.strictObject({ text: z.string(), start_index: z.int(), end_index: z.int() });
const fileCitation = z.strictObject({
  type: z.literal("file_citation"),
  ...annotation.shape,
  file_citation: z.strictObject({ file_id: z.string() }),
});
const filePath = z.strictObject({
  type: z.literal("file_path"),
  ...annotation.shape,
  file_path: z.strictObject({ file_id: z.string() }),
});
/** A place in a message's text, in characters of Unicode, and what it leads to. */
export const annotationObject = z.discriminatedUnion("type", [fileCitation, filePath]);
export type Annotation = z.output<typeof annotationObject>;

/** In a delta it tells its place among the text's annotations, and a quote that is always empty. */
export const annotationDeltaObject = z.discriminatedUnion("type", [
  fileCitation.extend({
    index: z.int(),
    file_citation: fileCitation.shape.file_citation.extend({ quote: z.literal("") }),
  }),
  filePath.extend({ index: z.int() }),
]);
export type AnnotationDelta = z.output<typeof annotationDeltaObject>;

export const messageContentObject = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("text"),
    text: z.strictObject({ value: z.string(), annotations: z.array(annotationObject) }),
  }),
  z.strictObject({ type: z.literal("image_url"), image_url: imageUrl }),
  z.strictObject({ type: z.literal("image_file"), image_file: imageFile }),
]);
export type MessageContent = z.output<typeof messageContentObject>;

export const attachmentObject = z.strictObject({
  file_id: z.string().min(1),
  tools: z.array(
    z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("code_interpreter") }),
      z.strictObject({ type: z.literal("file_search") }),
    ]),
  ),
});

export const messageObject = z.strictObject({
  id: z.string(),
  object: z.literal("thread.message"),
  created_at: time,
  assistant_id: z.string().nullable(),
  thread_id: z.string(),
  run_id: z.string().nullable(),
  status: z.enum(["in_progress", "completed", "incomplete"]),
  incomplete_details: z
    .strictObject({ reason: z.enum(["max_tokens", "content_filter", "run_cancelled", "run_expired", "run_failed"]) })
    .nullable(),
  completed_at: time.nullable(),
  incomplete_at: time.nullable(),
  role: z.enum(["user", "assistant"]),
  content: z.array(messageContentObject),
  attachments: z.array(attachmentObject),
  metadata: metadataObject,
});
export type Message = z.output<typeof messageObject>;
export type MessageIncompleteReason = NonNullable<Message["incomplete_details"]>["reason"];

export const deletedMessageObject = deletedObject("thread.message.deleted");

const text = z.string().min(1).max(MAX_TEXT);
/** An image comes back with it, named or not, as recordings of the original show. */
const detailOrAuto = detail.default("auto");

/** What a model's server can fetch, or has in hand; `data:` URLs are long, so only their beginning is looked at. */
function isImageUrl(text: string): boolean {
  if (/^\s*data:/i.test(text)) return /^\s*data:[^,]{0,1000},/i.test(text);
  const protocol = URL.parse(text)?.protocol;
  return protocol === "https:" || protocol === "http:";
}

const imageUrlOfRequest = z
  .string()
  .min(1)
  .refine(isImageUrl, { params: { kind: "not_a_url" } })
  .describe("An http:, https: or data: URL");

/**
 * That there is such a file, and that it is an image, is checked before the message is stored (src/files/images.ts).
 */
const fileOfImage = z.string().min(1).max(MAX_FILE_ID);

export const contentPart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string().max(MAX_TEXT) }),
  z.strictObject({
    type: z.literal("image_url"),
    image_url: imageUrl.extend({ url: imageUrlOfRequest, detail: detailOrAuto }),
  }),
  z.strictObject({
    type: z.literal("image_file"),
    image_file: imageFile.extend({ file_id: fileOfImage, detail: detailOrAuto }),
  }),
]);

/** Parts of one message; the original took 10, as one report says. */
const MAX_PARTS = 100;

/** The original's documents say 20; it refused more than 10, as one report says. */
const MAX_ATTACHMENTS = 20;

/** There are two kinds; naming one twice is allowed. */
const MAX_ATTACHMENT_TOOLS = 10;

export const attachment = attachmentObject.extend({
  file_id: z.string().min(1).max(MAX_FILE_ID),
  tools: z
    .array(attachmentObject.shape.tools.element)
    .max(MAX_ATTACHMENT_TOOLS)
    .default(() => []),
});

export const createMessageRequest = z.strictObject({
  role: messageObject.shape.role,
  content: z.union([text, z.array(contentPart).min(1).max(MAX_PARTS)]),
  attachments: z.array(attachment).max(MAX_ATTACHMENTS).nullable().optional(),
  metadata: metadata.optional(),
});
export type CreateMessageRequest = z.output<typeof createMessageRequest>;

export const modifyMessageRequest = z.strictObject({ metadata: metadata.optional() });

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

/** Requests say `text: "…"`, the stored part is `text: {value, annotations}` (docs/contract.md 2.1). */
function storedContent(content: CreateMessageRequest["content"]): MessageContent[] {
  if (typeof content === "string") return [textContent(content)];
  return content.map((part) => (part.type === "text" ? textContent(part.text) : part));
}

/** An image that code has drawn. Clients' own always tell a detail. */
export const imageContent = (fileId: string): MessageContent => ({
  type: "image_file",
  image_file: { file_id: fileId },
});

export function textContent(value: string, annotations: Annotation[] = []): MessageContent {
  return { type: "text", text: { value, annotations } };
}
