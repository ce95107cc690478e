/** PDF, page by page: a document of thousands of pages is never held as a whole. */
import { getDocumentProxy } from "unpdf";
import { FILE_TOO_LARGE } from "../../resources/errors.ts";
import { UnreadableFile } from "./unreadable.ts";

const MOST_PAGES = 20_000;

/** After so many pages, what the library has kept of them is dropped. */
const PAGES_KEPT = 50;

/** A word that was hyphenated at the end of a line. */
const HYPHENATED = /(\p{Ll})-\n(?=\p{Ll})/gu;

export async function* readPdf(bytes: Uint8Array): AsyncGenerator<string> {
  const document = await getDocumentProxy(bytes, { verbosity: 0, useSystemFonts: false });
  if (document.numPages > MOST_PAGES) throw new UnreadableFile(FILE_TOO_LARGE, "pages");
  for (let number = 1; number <= document.numPages; number++) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    const text = items.map((item) => ("str" in item ? item.str + (item.hasEOL ? "\n" : "") : "")).join("");
    yield `${text.replace(/\u00AD\n?/g, "").replace(HYPHENATED, "$1")}\n\n`;
    page.cleanup();
    if (number % PAGES_KEPT === 0) await document.cleanup();
  }
}
