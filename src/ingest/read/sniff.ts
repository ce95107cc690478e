/** What a file is by its first bytes, whatever its name says. */
import type { FileKind } from "../../resources/file-types.ts";

/** How many bytes are looked at. */
export const SNIFFED = 4_096;

const PDF = "%PDF-";
const ZIP = "PK\x03\x04";
const OLE = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/** How files begin that hold no text, whatever their name: documents, archives, images, sounds, programs. */
const NO_TEXT = [
  ...[PDF, ZIP, "PK\x05\x06", OLE, "{\\rtf", "Rar!\x1a\x07", "7z\xbc\xaf\x27\x1c", "\x1f\x8b", "BZh9", "\xfd7zXZ"],
  ...["\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF87a", "GIF89a", "RIFF", "II*\0", "MM\0*", "OggS", "ID3", "fLaC"],
  ...["\x7fELF", "\xca\xfe\xba\xbe", "SQLite format 3\0", "\x28\xb5\x2f\xfd"],
];

/** Viewers find a PDF's beginning among so many bytes. */
const PDF_WITHIN = 1_024;

/** Whether the content can be what the name says. `head`: the first `SNIFFED` bytes, or all. */
export function canBe(kind: FileKind, head: Uint8Array): boolean {
  const beginning = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString("latin1");
  switch (kind) {
    case "pdf":
      return beginning.slice(0, PDF_WITHIN).includes(PDF);
    case "docx":
    case "pptx":
      // A document that is encrypted is no zip file, but stands in one of OLE's.
      return beginning.startsWith(ZIP) || beginning.startsWith(OLE);
    case "doc":
      return beginning.startsWith(OLE);
    default:
      return !NO_TEXT.some((magic) => beginning.startsWith(magic)) && encodingOf(head) !== undefined;
  }
}

export type Encoding = "utf-8" | "utf-16le" | "utf-16be";

/** By its mark, else by where the zeros are that UTF-16 has and UTF-8 never; undefined if it is no text. */
export function encodingOf(head: Uint8Array): Encoding | undefined {
  const [first, second] = head;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  const zeros = [0, 0];
  for (const [at, byte] of head.entries()) if (byte === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (even + odd === 0) return "utf-8";
  // Blanks and line ends have a zero in any language; few other characters have it in the other half.
  if (even + odd < head.length / 32) return undefined;
  if (even * MOSTLY <= odd) return "utf-16le";
  if (odd * MOSTLY <= even) return "utf-16be";
  return undefined;
}

const MOSTLY = 8;
