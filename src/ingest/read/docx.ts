/** Word's documents. By way of HTML, since a plain extraction loses the rows of tables. */
import { zipSync } from "fflate";
import mammoth from "mammoth";
import { textOfHtml } from "./html.ts";
import { isXml, unzipped } from "./zip.ts";

/** Images have no text. */
const convertImage = mammoth.images.imgElement(async () => ({ src: "" }));

export async function* readDocx(bytes: Uint8Array): AsyncGenerator<string> {
  // The library would unpack whatever a part claims to be: it gets only what is unpacked already.
  const parts = Object.fromEntries(unzipped(bytes, isXml));
  const buffer = Buffer.from(zipSync(parts, { level: 0 }));
  const { value } = await mammoth.convertToHtml({ buffer }, { convertImage });
  yield textOfHtml(value);
}
