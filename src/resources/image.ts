/** Images that messages name by their file: what they may be, and how a model call names them until they are loaded. */
import type { CreateMessageRequest } from "./message.ts";

/** Bytes, as the chat API takes them. */
export const MAX_IMAGE_BYTES = 20 * 1024 * 1024;

/** By the ending of a file's name, in the order in which the original's error names them. */
const MEDIA_TYPES = new Map([
  ["jpeg", "image/jpeg"],
  ["jpg", "image/jpeg"],
  ["png", "image/png"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
]);

export const IMAGE_EXTENSIONS = [...MEDIA_TYPES.keys()];

/** The media type of a file with this extension; undefined if it is no image that models take. */
export const mediaTypeOf = (extension: string): string | undefined => MEDIA_TYPES.get(extension);

/** No client can send such a URL: it stands for the bytes of a file. */
const PLACE = "threadkeep-file:";

export const placeOf = (fileId: string) => PLACE + fileId;
export const fileInPlace = (url: string) => (url.startsWith(PLACE) ? url.slice(PLACE.length) : undefined);

/** The files that these messages name as images, each once. */
export function imageFilesIn(messages: Pick<CreateMessageRequest, "content">[]): string[] {
  const ids = messages.flatMap(({ content }) =>
    typeof content === "string"
      ? []
      : content.flatMap((part) => (part.type === "image_file" ? [part.image_file.file_id] : [])),
  );
  return [...new Set(ids)];
}
