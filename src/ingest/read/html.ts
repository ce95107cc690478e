/** Web pages, and what is made into such. */
import { convert } from "html-to-text";
import { SNIFFED } from "./sniff.ts";
import { decoded } from "./text.ts";

const HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"];

const OPTIONS = {
  wordwrap: false as const,
  selectors: [
    { selector: "head", format: "skip" },
    { selector: "script", format: "skip" },
    { selector: "style", format: "skip" },
    { selector: "img", format: "skip" },
    { selector: "a", options: { ignoreHref: true } },
    ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
    {
      selector: "table",
      format: "dataTable",
      options: { uppercaseHeaderCells: false, maxColumnWidth: 1_000, colSpacing: 2 },
    },
  ],
  // Beyond its own limit the library drops text without a word.
  limits: { maxInputLength: Number.MAX_SAFE_INTEGER },
};

/** The text of a page: tables as rows, neither addresses nor scripts. */
export const textOfHtml = (html: string): string => convert(html, OPTIONS);

export function* readHtml(bytes: Uint8Array): Generator<string> {
  yield textOfHtml(decoded(bytes, bytes.subarray(0, SNIFFED)));
}
