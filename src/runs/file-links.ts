/**
 * Finds the links in a model's text that lead to files which its code has written: `sandbox:/mnt/data/report.csv`. Only
 * what may still become the path of such a file is held back. Pure.
 */
import type { Marker, Reading } from "./citations.ts";

const BEGINNING = "sandbox:/mnt/data/";

/** Of a link, with its beginning; a character beyond ASCII may take nine or twelve. UTF-16. */
const LONGEST_LINK = 1_000;

/** Goes on with a path that was whole before: then that path was not meant. One full stop may end a sentence. */
const GOES_ON = /^\.?[A-Za-z0-9_\-/%]/;
const MAY_GO_ON = /^\.?$/;

/** Links to these files: `path` is below the folder that code works in, with or without escapes in the text. */
export function fileLinks(files: readonly { path: string; id: string }[]): Marker {
  return { opening: "s", longest: LONGEST_LINK, read: (text, isAll) => read(text, isAll, files) };
}

function read(text: string, isAll: boolean, files: readonly { path: string; id: string }[]): Reading {
  if (!text.startsWith(BEGINNING)) return BEGINNING.startsWith(text) ? "unfinished" : "none";
  const rest = text.slice(BEGINNING.length);
  let best: { length: number; id: string } | undefined;
  for (const { path, id } of files) {
    const length = lengthOf(path, rest);
    if (length === "unfinished" && !isAll) return "unfinished";
    if (typeof length !== "number" || length <= (best?.length ?? 0)) continue;
    const behind = rest.slice(length);
    if (!isAll && MAY_GO_ON.test(behind)) return "unfinished";
    if (!GOES_ON.test(behind)) best = { length, id };
  }
  if (best === undefined) return "none";
  const target = { type: "file_path" as const, file_path: { file_id: best.id } };
  return { length: BEGINNING.length + best.length, target };
}

/** How much of the text is this path; "unfinished" if the text ends within it. */
function lengthOf(path: string, text: string): number | "unfinished" | undefined {
  let at = 0;
  for (const character of path) {
    // Escapes may be written with small letters.
    const written = escaped(character);
    const next = text.slice(at, at + written.length).toUpperCase();
    if (next === written) at += written.length;
    else if (next !== "" && written.startsWith(next)) return "unfinished";
    else if (text.startsWith(character, at)) at += character.length;
    else return character.startsWith(text.slice(at)) ? "unfinished" : undefined;
  }
  return at;
}

const escaped = (character: string) =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
