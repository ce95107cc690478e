import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JournalFile, UnusableJournal } from "../../../local/journal-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "journal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = () => path.join(folder, "journal");

function open(): { lines: string[]; journal: JournalFile } {
  const lines: string[] = [];
  const journal = new JournalFile({
    path: file(),
    begin: '{"n":',
    replay: (line) => {
      JSON.parse(line);
      if (line.includes("odd")) throw new Error("an odd record");
      lines.push(line);
    },
  });
  return { lines, journal };
}

function linesOf(): string[] {
  const { lines, journal } = open();
  journal.close();
  return lines;
}

test("lines are there after a restart, a torn last one is not, and writing goes on behind the good ones", () => {
  const first = open().journal;
  for (const n of [1, 2]) first.append(`{"n":${n}}`);
  first.close();
  for (const torn of ['{"n":3', "{", "\0\0\0\0", '{"n":4,"text":"two\\nlines"']) {
    appendFileSync(file(), torn);
    expect(linesOf()).toEqual(['{"n":1}', '{"n":2}']);
  }
  const again = open().journal;
  again.append('{"n":5}');
  again.close();
  expect(linesOf()).toEqual(['{"n":1}', '{"n":2}', '{"n":5}']);
});

test("a file is replaced as a whole, and what a crash left of a new one is removed", () => {
  const { journal } = open();
  for (let n = 0; n < 100; n++) journal.append(`{"n":${n}}`);
  journal.replace(['{"n":99}']);
  journal.append('{"n":100}');
  expect(journal.size).toBe(readFileSync(file()).length);
  journal.close();
  writeFileSync(`${file()}.new`, '{"n":99}\n{"n":1');
  expect(linesOf()).toEqual(['{"n":99}', '{"n":100}']);
  expect(existsSync(`${file()}.new`)).toBe(false);
});

test.each([
  ["of another program", "name,value\na,1\n", 1, "damaged record, or one of another program"],
  ["of another program, without an end of line", "name,value", 1, "damaged record, or one of another program"],
  ["that two processes glued together", '{"n":1}\n{"n":2,"te{"n":3}\n{"n":4}\n', 2, "damaged record (no JSON)"],
  ["with a record that makes no sense", '{"n":1}\n{"n":"odd"}\n', 2, "damaged record (an odd record)"],
])("a file %s is left as it is, and named with what to do, on one line", (_, text, line, what) => {
  writeFileSync(file(), text);
  const refused = () => open();
  expect(refused).toThrow(UnusableJournal);
  expect(refused).toThrow(`${file()}, line ${line}: ${what}. Restore the file from a copy; or keep what stands before`);
  expect(refused).toThrow(/^[^\n]*$/);
  expect(readFileSync(file(), "utf8")).toBe(text);
});

test("a folder that another server uses is refused, and one that cannot be made is named", () => {
  const { journal } = open();
  expect(open).toThrow(`${folder} is in use by process ${process.pid}. Stop it, or choose another --data.`);
  journal.close();
  const blocked = path.join(folder, "blocked");
  writeFileSync(blocked, "a file");
  const inFile = () => new JournalFile({ path: path.join(blocked, "data", "journal"), begin: "{", replay: () => {} });
  expect(inFile).toThrow(/^cannot use .*blocked\/data: ENOTDIR: not a directory$/);
});
