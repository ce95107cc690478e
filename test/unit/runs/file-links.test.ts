/** Links of a model's text to files that its code has written. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Citations, fileCitations, type TextPiece } from "../../../src/runs/citations.ts";
import { fileLinks } from "../../../src/runs/file-links.ts";

const FILES = ["o.csv", "o.csv.gz", "my file (1).csv", "out/日本.csv", "50%.txt", "s.txt"].map((path) => ({
  path,
  id: `file-${path}`,
}));

function read(pieces: string[], files = FILES): TextPiece[] {
  const citations = new Citations([fileCitations(() => "file-cited"), fileLinks(files)]);
  return [...pieces.flatMap((piece) => citations.push(piece)), ...citations.end()];
}

const linksIn = (pieces: TextPiece[]) =>
  pieces.flatMap(({ annotation }) =>
    annotation?.type === "file_path" ? [[annotation.text, annotation.file_path.file_id]] : [],
  );

const LINK = "sandbox:/mnt/data/";

describe("a link", () => {
  test.each([
    ["[it](sandbox:/mnt/data/o.csv).", "o.csv", "o.csv"],
    ["sandbox:/mnt/data/o.csv", "o.csv", "o.csv"],
    ["See sandbox:/mnt/data/o.csv.", "o.csv", "o.csv"],
    ["(sandbox:/mnt/data/o.csv.gz)", "o.csv.gz", "o.csv.gz"],
    ["[it](sandbox:/mnt/data/my file (1).csv)", "my file (1).csv", "my file (1).csv"],
    ["[it](sandbox:/mnt/data/my%20file%20%281%29.csv)", "my%20file%20%281%29.csv", "my file (1).csv"],
    ["[it](sandbox:/mnt/data/my%20file%20(1).csv)", "my%20file%20(1).csv", "my file (1).csv"],
    ["[it](sandbox:/mnt/data/out/%e6%97%a5本.csv)", "out/%e6%97%a5本.csv", "out/日本.csv"],
    ["[it](sandbox:/mnt/data/out/日本.csv)", "out/日本.csv", "out/日本.csv"],
    ["[it](sandbox:/mnt/data/50%25.txt)", "50%25.txt", "50%.txt"],
    ["[it](sandbox:/mnt/data/50%.txt)", "50%.txt", "50%.txt"],
    ["ssandbox:/mnt/data/s.txt", "s.txt", "s.txt"],
  ])("%s", (text, written, path) => {
    for (const pieces of [[text], [...text]]) {
      const all = read(pieces);
      expect(all.map(({ value }) => value).join("")).toBe(text);
      expect(linksIn(all)).toEqual([[LINK + written, `file-${path}`]]);
    }
  });

  test.each([
    "sandbox:/mnt/data/none.csv",
    "sandbox:/mnt/data/",
    "sandbox:/mnt/o.csv",
    "sandbox:/mnt/data/o.csv2",
    "sandbox:/mnt/data/o.csv.bz2",
    "sandbox:/mnt/data/my%2 file (1).csv",
    "sandbox:/mnt/data/out",
    "/mnt/data/o.csv",
  ])("%s is none", (text) => {
    for (const pieces of [[text], [...text]]) {
      const all = read(pieces);
      expect(all.map(({ value }) => value).join("")).toBe(text);
      expect(linksIn(all)).toEqual([]);
    }
  });

  test("is told whole, alone and in its place, wherever the text is cut, among citations", () => {
    const text =
      "s 😀 [a](sandbox:/mnt/data/my%20file%20%281%29.csv) 【4:0†a】 sandbox:/mnt/data/o.csv sandbox:/mnt/data/x";
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const ends = [...cuts, text.length].sort((a, b) => a - b);
        const all = read(ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end)));
        expect(all.map(({ value }) => value).join("")).toBe(text);
        const points = Array.from(text);
        const annotations = all.flatMap(({ annotation }) => annotation ?? []);
        expect(annotations).toHaveLength(3);
        for (const each of annotations) {
          expect(points.slice(each.start_index, each.end_index).join("")).toBe(each.text);
        }
      }),
    );
  });

  test("is looked for in a long text that comes at once, also where nothing else is found in it", () => {
    expect(read(["s".repeat(500_000)]).map(({ value }) => value.length)).toEqual([499_999, 1]);
  });

  test("holds back no other text", () => {
    const citations = new Citations([fileLinks(FILES)]);
    expect(citations.push("This is sand").map(({ value }) => value)).toEqual(["This is "]);
    expect(citations.push(" on")[0]?.value).toBe("sand on");
    expect(citations.push(`${LINK}o`)).toEqual([]);
    expect(citations.push("nly").map(({ value }) => value)).toEqual([`${LINK}only`]);
  });
});
