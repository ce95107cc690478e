/** Which files a session has room for, and which second names of theirs are free. Pure. */
import { isPlain } from "./driver.ts";
import type { SessionFile } from "./session.ts";

const MEGABYTE = 1_048_576;

/** Of one upload: the pool refuses larger ones. And of all files of a session. Bytes. */
const LARGEST_FILE = 128 * MEGABYTE - 4_096;
const LARGEST_SESSION = 1_024 * MEGABYTE;

type AFile = Pick<SessionFile, "path" | "alias" | "bytes">;

export interface Placed<File extends AFile> {
  file: File;
  /** for the pool, or for what the files before it leave of the session */
  isTooLarge: boolean;
  /** whether its second name leads to it: the first of the files that have a name gets it */
  isLinked: boolean;
}

/** The same files, in their order. */
export function placed<File extends AFile>(files: readonly File[]): Placed<File>[] {
  const taken = new Set(files.map(({ path }) => path));
  let room = LARGEST_SESSION;
  return files.map((file) => {
    const { alias = "", bytes } = file;
    const isTooLarge = bytes > Math.min(LARGEST_FILE, room);
    if (isTooLarge) return { file, isTooLarge, isLinked: false };
    room -= bytes;
    const isLinked = isPlain(alias) && !alias.includes("/") && !taken.has(alias);
    taken.add(alias);
    return { file, isTooLarge, isLinked };
  });
}
