/** Takes parts out of an office document, which is a zip file. */
import { unzipSync } from "fflate";
import { FILE_NOT_PARSED, FILE_TOO_LARGE, FILE_TYPE_NOT_SUPPORTED } from "../../resources/file-errors.ts";
import { UnreadableFile } from "./unreadable.ts";

/** Of all parts together, unpacked. Bytes. */
const MOST_UNPACKED = 200_000_000;
/** Real documents shrink to a hundredth at the most; small ones may shrink as they like. */
const MOST_SHRUNK = 200;
const ALWAYS_FINE = 10_000_000;

/** An office document that is encrypted, or one of before 2007, is no zip file. */
const OLE_BEGINS = 0xd0;
const ENCRYPTED = Buffer.from("EncryptedPackage", "utf16le");

/**
 * The wanted parts by their names. Their sizes are those of the file's directory, which is read first: a part that is
 * larger than it says there is cut off. Throws UnreadableFile if they are too large, or there is no such zip file.
 */
export function unzipped(bytes: Uint8Array, isWanted: (name: string) => boolean): Map<string, Uint8Array> {
  if (bytes[0] === OLE_BEGINS) {
    const isEncrypted = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(ENCRYPTED);
    throw new UnreadableFile(
      isEncrypted ? FILE_NOT_PARSED : FILE_TYPE_NOT_SUPPORTED,
      isEncrypted ? "encrypted" : "ole",
    );
  }
  let packed = 0;
  let unpacked = 0;
  const filter = ({ name, size, originalSize }: { name: string; size: number; originalSize: number }) => {
    if (!isWanted(name)) return false;
    packed += size;
    unpacked += originalSize;
    const isBomb = unpacked > ALWAYS_FINE && unpacked > packed * MOST_SHRUNK;
    if (unpacked > MOST_UNPACKED || isBomb) throw new UnreadableFile(FILE_TOO_LARGE, "zip bomb");
    return true;
  };
  try {
    // Pairs, not fields: a part may be called __proto__.
    return new Map(Object.entries(unzipSync(bytes, { filter })));
  } catch (error) {
    if (error instanceof UnreadableFile) throw error;
    throw new UnreadableFile(FILE_NOT_PARSED, "zip");
  }
}

export const isXml = (name: string): boolean => /\.(xml|rels)$/i.test(name);
