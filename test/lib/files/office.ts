/** Small documents of Word and PowerPoint made by code: what real ones have, and no more. */
import { strToU8, zipSync } from "fflate";

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main";
const SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main";

/** A zip file of these parts; texts are written in UTF-8. */
export function zipOf(parts: Record<string, string | Uint8Array>, level: 0 | 9 = 9): Buffer {
  const entries = Object.entries(parts).map(([name, part]): [string, Uint8Array] => [
    name,
    typeof part === "string" ? strToU8(part) : part,
  ]);
  return Buffer.from(zipSync(Object.fromEntries(entries), { level }));
}

const relations = (targets: [type: string, target: string][]) =>
  `${XML}<Relationships xmlns="${RELATIONS}">${targets
    .map(([type, target], n) => `<Relationship Id="rId${n + 1}" Type="${OFFICE}/${type}" Target="${target}"/>`)
    .join("")}</Relationships>`;

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** `prolog` stands before the document's root. */
export const wordXml = (body: string, prolog = "") =>
  `${XML}${prolog}<w:document xmlns:w="${WORD}"><w:body>${body}</w:body></w:document>`;

export const paragraph = (text: string) => `<w:p><w:r><w:t xml:space="preserve">${escaped(text)}</w:t></w:r></w:p>`;

export const table = (rows: string[][]) =>
  `<w:tbl>${rows
    .map((cells) => `<w:tr>${cells.map((cell) => `<w:tc>${paragraph(cell)}</w:tc>`).join("")}</w:tr>`)
    .join("")}</w:tbl>`;

/** The parts of a Word document with this main part. */
export const docxParts = (document: string): Record<string, string> => ({
  "[Content_Types].xml": `${XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
  "_rels/.rels": relations([["officeDocument", "word/document.xml"]]),
  "word/document.xml": document,
});

export const docxOf = (body: string): Buffer => zipOf(docxParts(wordXml(body)));

export interface Slide {
  lines: string[];
  rows?: string[][];
  notes?: string;
}

const line = (text: string) => `<a:p><a:r><a:t>${escaped(text)}</a:t></a:r></a:p>`;
const shape = (lines: string[]) => `<p:sp><p:txBody>${lines.map(line).join("")}</p:txBody></p:sp>`;
const grid = (rows: string[][]) =>
  `<p:graphicFrame><a:tbl>${rows
    .map((cells) => `<a:tr>${cells.map((cell) => `<a:tc><a:txBody>${line(cell)}</a:txBody></a:tc>`).join("")}</a:tr>`)
    .join("")}</a:tbl></p:graphicFrame>`;
const number = '<p:sp><p:txBody><a:p><a:fld type="slidenum"><a:t>7</a:t></a:fld></a:p></p:txBody></p:sp>';

export const slideXml = (tag: string, content: string, prolog = "") =>
  `${XML}${prolog}<p:${tag} xmlns:a="${DRAWING}" xmlns:p="${SLIDES}"><p:cSld><p:spTree>${content}${number}</p:spTree></p:cSld></p:${tag}>`;

/** The parts of a presentation whose slides are shown in this order; their files are numbered the other way round. */
export function pptxParts(slides: Slide[]): Record<string, string> {
  const files = slides.map((_, index) => slides.length - index);
  const parts: Record<string, string> = {
    "ppt/_rels/presentation.xml.rels": relations(files.map((file) => ["slide", `slides/slide${file}.xml`])),
    "ppt/presentation.xml": `${XML}<p:presentation xmlns:p="${SLIDES}" xmlns:r="${OFFICE}"><p:sldIdLst>${files
      .map((_, index) => `<p:sldId id="${256 + index}" r:id="rId${index + 1}"/>`)
      .join("")}</p:sldIdLst></p:presentation>`,
  };
  for (const [index, { lines, rows, notes }] of slides.entries()) {
    const file = files[index];
    parts[`ppt/slides/slide${file}.xml`] = slideXml("sld", shape(lines) + (rows ? grid(rows) : ""));
    if (notes === undefined) continue;
    parts[`ppt/notesSlides/notesSlide${file}.xml`] = slideXml("notes", shape([notes]));
    parts[`ppt/slides/_rels/slide${file}.xml.rels`] = relations([
      ["notesSlide", `../notesSlides/notesSlide${file}.xml`],
    ]);
  }
  return parts;
}

export const pptxOf = (slides: Slide[]): Buffer => zipOf(pptxParts(slides));
