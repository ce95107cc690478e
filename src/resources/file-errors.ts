/**
 * Why a file of a vector store cannot be searched, word for word as the original said it: its `last_error`. In a file
 * of their own, which the process that reads a document can load without all that it does not need.
 */
export interface FileError {
  code: "server_error" | "unsupported_file" | "invalid_file";
  message: string;
}

export const FILE_TYPE_NOT_SUPPORTED: FileError = {
  code: "unsupported_file",
  message: "The file type is not supported.",
};
export const FILE_NOT_PARSED: FileError = { code: "invalid_file", message: "The file could not be parsed." };
export const FILE_TOO_LARGE: FileError = {
  code: "invalid_file",
  message: "The file could not be parsed because it is too large.",
};
export const FILE_EMPTY: FileError = { code: "invalid_file", message: "The file is empty." };
export const STORE_FULL: FileError = { code: "server_error", message: "The vector store is full." };
export const FILE_FAILED: FileError = { code: "server_error", message: "An internal error occurred." };
