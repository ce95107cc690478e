/** Small PDF files made by code, good ones and others. */
import { deflateSync } from "node:zlib";

/** Bodies of objects; the first is object 1. A stream is given as its dictionary's entries and its bytes. */
export type PdfObject = string | { entries: string; bytes: Uint8Array };

const latin = (text: string) => Buffer.from(text, "latin1");

/** A file of these objects with a right table of their places; object 1 is the catalog. */
export function pdfFile(objects: PdfObject[], trailer = ""): Buffer {
  const parts: Buffer[] = [latin("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")];
  let length = parts[0]?.length ?? 0;
  const add = (part: Buffer) => {
    parts.push(part);
    length += part.length;
  };
  const places = objects.map((object, index) => {
    const place = length;
    add(latin(`${index + 1} 0 obj\n`));
    if (typeof object === "string") add(latin(object));
    else {
      add(latin(`<< ${object.entries} /Length ${object.bytes.length} >>\nstream\n`));
      add(Buffer.from(object.bytes));
      add(latin("\nendstream"));
    }
    add(latin("\nendobj\n"));
    return place;
  });
  const rows = places.map((place) => `${String(place).padStart(10, "0")} 00000 n \n`).join("");
  const size = objects.length + 1;
  const at = length;
  add(latin(`xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${size} /Root 1 0 R ${trailer} >>\n`));
  add(latin(`startxref\n${at}\n%%EOF\n`));
  return Buffer.concat(parts);
}

const FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";
const CATALOG = "<< /Type /Catalog /Pages 2 0 R >>";

const escaped = (text: string) => text.replace(/[\\()]/g, "\\$&");

/** Lines one below the other; tabs divide columns. */
function contentOf(lines: string[]): string {
  const shown = lines.flatMap((line, row) =>
    line.split("\t").map((cell, column) => `1 0 0 1 ${72 + 120 * column} ${770 - 14 * row} Tm (${escaped(cell)}) Tj`),
  );
  return `BT /F1 11 Tf ${shown.join("\n")} ET`;
}

/** A document with these pages of lines (Latin-1). */
export function pdfOf(pages: string[][]): Buffer {
  const objects: PdfObject[] = [CATALOG, "", FONT];
  const kids = pages.map((lines) => {
    const number = objects.length + 1;
    objects.push(pageOf(number + 1), { entries: "/Filter /FlateDecode", bytes: deflateSync(latin(contentOf(lines))) });
    return `${number} 0 R`;
  });
  objects[1] = `<< /Type /Pages /Kids [${kids.join(" ")}] /Count ${pages.length} >>`;
  return pdfFile(objects);
}

const pageOf = (content: number) =>
  `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${content} 0 R >>`;

/** One page with this content stream. */
export const pdfWithContent = (stream: PdfObject, more: PdfObject[] = []): Buffer =>
  pdfFile([CATALOG, "<< /Type /Pages /Kids [4 0 R] /Count 1 >>", FONT, pageOf(5), stream, ...more]);
