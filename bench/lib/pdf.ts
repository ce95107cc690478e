/** PDF documents of plain lines, for measurements of reading them. */

/** A document with these pages of lines; ASCII. */
export function pdfOf(pages: string[][]): Buffer {
  const first = 4;
  const kids = pages.map((_, page) => `${first + 2 * page} 0 R`).join(" ");
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ...pages.flatMap((lines, page) => [pageOf(first + 2 * page + 1), contentOf(lines)]),
  ];
  let text = "%PDF-1.4\n";
  const places = objects.map((object, index) => {
    const place = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(place).padStart(10, "0")} 00000 n \n`;
  });
  const size = objects.length + 1;
  const start = text.length;
  text += `xref\n0 ${size}\n0000000000 65535 f \n${places.join("")}`;
  return Buffer.from(`${text}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`);
}

const pageOf = (content: number) =>
  "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> " +
  `/Contents ${content} 0 R >>`;

function contentOf(lines: string[]): string {
  const shown = lines.map((line, row) => `1 0 0 1 72 ${770 - 14 * row} Tm (${line}) Tj`);
  const stream = `BT /F1 11 Tf ${shown.join("\n")} ET`;
  return `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`;
}
