/** What is used of libraries that come without types. */

declare module "html-to-text" {
  interface Selector {
    selector: string;
    format?: string;
    options?: Record<string, unknown>;
  }
  interface Options {
    wordwrap?: number | false;
    selectors?: Selector[];
    limits?: { maxInputLength?: number };
  }
  export function convert(html: string, options: Options): string;
}

declare module "word-extractor/lib/filters.js" {
  const filters: { clean(text: string): string; binaryToUnicode(text: string): string };
  export default filters;
}

declare module "word-extractor/lib/buffer-reader.js" {
  export default class BufferReader {
    constructor(bytes: Buffer);
  }
}

declare module "word-extractor/lib/word-ole-extractor.js" {
  import type BufferReader from "word-extractor/lib/buffer-reader.js";

  interface Document {
    getBody(options: { filterUnicode: false }): string;
    getFootnotes(options: { filterUnicode: false }): string;
    getEndnotes(options: { filterUnicode: false }): string;
    getTextboxes(options: { filterUnicode: false; includeHeadersAndFooters: false }): string;
  }
  export default class WordOleExtractor {
    extract(reader: BufferReader): Promise<Document>;
    /** `stream` is the document's main stream, which begins with its FIB. */
    extractWordDocument(document: unknown, stream: Buffer): Promise<Document>;
  }
}
