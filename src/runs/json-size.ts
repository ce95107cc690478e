/** How long texts are within JSON. */

/** Of the text within a JSON string. Bytes. */
export const jsonBytes = (text: string) =>
  PLAIN.test(text) ? text.length : Buffer.byteLength(JSON.stringify(text)) - 2;

/** Text of which every character is one byte of JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** How many characters of a text take at most so many bytes of JSON. */
export function lengthWithin(text: string, bytes: number): number {
  let length = 0;
  let used = 0;
  for (const character of text) {
    used += jsonBytes(character);
    if (used > bytes) break;
    length += character.length;
  }
  return length;
}
