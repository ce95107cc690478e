/**
 * Cuts long texts into slices that the tokenizer counts in some milliseconds, where a cut does not change the count.
 */

/** Characters of a slice, at the most: the nastiest text takes about 20 ms of a core for so many. */
export const SLICE = 8_000;

/** How far back from its longest end a slice may end so that no word is cut. Characters. */
const LOOK_BACK = 2_000;

/**
 * Where the slice that begins at `start` ends: at the text's end, or else before a single blank between two words. No
 * token of the current models reaches over such a blank's beginning, so the slices' counts add up to the text's. A text
 * without one is cut anywhere but within a character: its count is then a token too high at each cut.
 */
export function sliceEnd(text: string, start: number): number {
  const furthest = start + SLICE;
  if (furthest >= text.length) return text.length;
  for (let end = furthest; end > furthest - LOOK_BACK; end--) {
    if (text.charCodeAt(end) === BLANK && !isWhite(text, end - 1) && !isWhite(text, end + 1)) return end;
  }
  return isHighSurrogate(text, furthest - 1) ? furthest - 1 : furthest;
}

/**
 * The tokenizer's time grows with the square of a word's length: words (say base64, or Chinese without a blank) and
 * white space longer than this are counted in pieces. The count is then up to 1 % too high.
 */
export const LONGEST_WORD = 128;

const LONG = new RegExp(`\\S{${LONGEST_WORD + 1},}|\\s{${LONGEST_WORD + 1},}`, "g");

/** The pieces of a slice in which no word and no white space is too long. */
export function pieces(slice: string): string[] {
  const found: string[] = [];
  let end = 0;
  for (const { 0: long, index } of slice.matchAll(LONG)) {
    if (index > end) found.push(slice.slice(end, index));
    for (let from = 0; from < long.length; ) {
      const furthest = from + LONGEST_WORD;
      const to = isHighSurrogate(long, furthest - 1) ? furthest - 1 : furthest;
      found.push(long.slice(from, to));
      from = to;
    }
    end = index + long.length;
  }
  if (end < slice.length) found.push(slice.slice(end));
  return found;
}

const BLANK = 0x20;

const isWhite = (text: string, index: number) => /\s/.test(text.charAt(index));

function isHighSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit < 0xdc00;
}
