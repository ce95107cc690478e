/**
 * Mends two tables of word-extractor, which gives the word "undefined" for optional hyphens, and for the euro and a few
 * other characters of Windows. To be imported before the library's other files: they take its functions when they load.
 */
import filters from "word-extractor/lib/filters.js";

const { clean } = filters;
const WINDOWS = new TextDecoder("windows-1252");

filters.clean = (text) => clean(text.replaceAll("\x1f", ""));
filters.binaryToUnicode = (text) =>
  text.replace(/[\x80-\x9f]/g, (character) => WINDOWS.decode(Uint8Array.of(character.charCodeAt(0))));
