/** Documents of Word 97 to 2003. */
import "./word-filters.ts";
import BufferReader from "word-extractor/lib/buffer-reader.js";
import WordOleExtractor from "word-extractor/lib/word-ole-extractor.js";
import { FILE_NOT_PARSED } from "../../resources/file-errors.ts";
import { UnreadableFile } from "./unreadable.ts";

/** In the document's main stream, the FIB: https://learn.microsoft.com/openspecs/office_file_formats/ms-doc/. */
const FLAGS_AT = 0x0a;
const IS_ENCRYPTED = 0x0100;

const AS_WRITTEN = { filterUnicode: false } as const;

class Extractor extends WordOleExtractor {
  /** The library would take what is encrypted for text. */
  override extractWordDocument(document: unknown, stream: Buffer) {
    if ((stream.readUInt16LE(FLAGS_AT) & IS_ENCRYPTED) !== 0) throw new UnreadableFile(FILE_NOT_PARSED, "encrypted");
    return super.extractWordDocument(document, stream);
  }
}

export async function* readDoc(bytes: Uint8Array): AsyncGenerator<string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const document = await new Extractor().extract(new BufferReader(buffer));
  const parts = [
    document.getBody(AS_WRITTEN),
    document.getFootnotes(AS_WRITTEN),
    document.getEndnotes(AS_WRITTEN),
    document.getTextboxes({ ...AS_WRITTEN, includeHeadersAndFooters: false }),
  ];
  yield parts.filter((part) => part.trim() !== "").join("\n");
}
