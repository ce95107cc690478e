/** PDF, page by page: a document of thousands of pages is never held as a whole. */
import { getDocumentProxy } from "unpdf";
import { FILE_TOO_LARGE } from "../../resources/file-errors.ts";
import { UnreadableFile } from "./unreadable.ts";

const MOST_PAGES = 20_000;

/** After so many pages, what the library has kept of them is dropped. */
const PAGES_KEPT = 50;

/** A word that was hyphenated at the end of a line. */
const HYPHENATED = /(\p{Ll})-\n(?=\p{Ll})/gu;

/** Longer pages are given in parts, so that no page fills the memory. UTF-16. */
const LONG = 65_536;

/** A piece of a line, or a mark, which has no text. */
interface Item {
  str?: string;
  hasEOL?: boolean;
}

export async function* readPdf(bytes: Uint8Array): AsyncGenerator<string> {
  const document = await getDocumentProxy(bytes, { verbosity: 0, useSystemFonts: false });
  if (document.numPages > MOST_PAGES) throw new UnreadableFile(FILE_TOO_LARGE, "pages");
  for (let number = 1; number <= document.numPages; number++) {
    const page = await document.getPage(number);
    let text = "";
    for await (const { items } of page.streamTextContent() as AsyncIterable<{ items: Item[] }>) {
      for (const { str = "", hasEOL = false } of items) text += hasEOL ? `${str}\n` : str;
      if (text.length < LONG) continue;
      yield joined(text);
      text = "";
    }
    yield `${joined(text)}\n\n`;
    page.cleanup();
    if (number % PAGES_KEPT === 0) await document.cleanup();
  }
}

const joined = (text: string) => text.replace(/\u00AD\n?/g, "").replace(HYPHENATED, "$1");
