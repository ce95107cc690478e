/** What the thread that reads a document is given, and what it tells; a message to it, whatever it says, asks for more. */
import type { FileError } from "../../resources/errors.ts";
import type { FileKind } from "../../resources/file-types.ts";

export interface Task {
  kind: Exclude<FileKind, "text">;
  bytes: Uint8Array<ArrayBuffer>;
}

export type FromThread = { text: string } | { isDone: true } | { failure: FileError; reason: string | undefined };
