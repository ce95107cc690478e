import type { FileError } from "../../resources/file-errors.ts";

/** The file has no text that can be had, now or later. */
export class UnreadableFile extends Error {
  readonly code: FileError["code"];
  /** what found that, for the log: the name of an error, never a word of the file */
  readonly reason: string | undefined;

  /** What the file's `last_error` says, as src/resources/file-errors.ts has it. */
  constructor({ code, message }: FileError, reason?: string) {
    super(message);
    this.name = "UnreadableFile";
    this.code = code;
    this.reason = reason;
  }
}
