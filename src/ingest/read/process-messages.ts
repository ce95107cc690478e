/** What the process that reads a document tells: a line of JSON each. */
import type { FileError } from "../../resources/file-errors.ts";

export type FromProcess = { text: string } | { isDone: true } | { failure: FileError; reason: string | undefined };

/** The file descriptor that it writes to: libraries print to the usual ones. */
export const TELLS_ON = 3;

/** The signal with which it ends itself when it has worked too long; whatever else ends it has to do with memory. */
export const OUT_OF_TIME = "SIGXCPU";
