/** Cells of Python and what a session tells of each: those of cells.yaml, in their order, which share a session. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { DoneCell } from "../../../src/code/driver.ts";

export interface Cell {
  name: string;
  code: string;
  logs: string;
  failed?: boolean;
  files?: string[];
  images?: number;
}

const groups: Record<string, Cell[]> = parse(readFileSync(new URL("cells.yaml", import.meta.url), "utf8"));

export const CELLS = Object.values(groups).flat();

/** What Jupyter or this app does, and plain Python in another way. */
const OURS = new Set(groups.ours);

/** Cells of which plain Python writes the same. */
export const PLAIN_CELLS = CELLS.filter((cell) => !OURS.has(cell));

/**
 * Removes what differs between versions of Python and between interpreters, and means nothing to the reader: the number
 * of the cell, numbers of errors of the system, lines with markers below a line of a traceback, addresses of objects,
 * how deep a recursion may be, and the omissions that newer versions show in place of a long statement's lines.
 */
export const normal = (logs: string): string =>
  logs
    .replace(/<cell \d+>/g, "<cell>")
    .replace(/^[ \t]*[~^]+[~^ ]*\n/gm, "")
    .replace(/0x[0-9a-f]+/g, "0x")
    .replace(/\[Errno \d+\]/g, "[Errno]")
    .replace(/repeated \d+ more times/g, "repeated many more times")
    .replace(/^ {4}\.\.\.<\d+ lines>\.\.\.\n/gm, "");

/** A result in the form of the table. */
export const shown = (name: string, code: string, { logs, failed, files, images }: DoneCell): Cell => ({
  name,
  code,
  logs: normal(logs),
  ...(failed && { failed }),
  ...(files.length > 0 && { files: files.map((file) => file.path) }),
  ...(images.length > 0 && { images: images.length }),
});
