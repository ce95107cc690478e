/** Markers in texts that come in pieces, cut anywhere. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Annotation } from "../../../src/resources/message.ts";
import {
  Citations,
  citationOf,
  fileCitations,
  LONGEST_CITATION,
  type Marker,
  MOST_ANNOTATIONS,
  type TextPiece,
} from "../../../src/runs/citations.ts";

const fileOf = (search: number, index: number) => (search === 4 && index < 20 ? `file-${index}` : undefined);
const known = () => new Citations([fileCitations(fileOf)]);

const whole = (text: string, citations = known()): TextPiece[] => [...citations.push(text), ...citations.end()];
const annotationsOf = (pieces: TextPiece[]): Annotation[] => pieces.flatMap(({ annotation }) => annotation ?? []);
const codePoints = (text: string, start: number, end: number) => Array.from(text).slice(start, end).join("");

const TEXT =
  "Filip's favourite food is cake【4:0†favorite_foods.txt】. 😀 Also【4:1†a b.pdf】【4:2†c.md】 and not 【9:9†x】 nor " +
  "【foo】 nor 【4:0 x】 nor 【【4:3†😀 d】 nor 【】, 【4:】 or 【4:5†line\nbreak】👩‍👩‍👧‍👦【4:19†最后.pdf】【4:20†no】 end【4:1†unclosed";

test("each marker that names a result is a piece of its own with its annotation, and all else is text", () => {
  const pieces = whole(TEXT);
  expect(pieces.map(({ value }) => value).join("")).toBe(TEXT);
  const marked = pieces.filter(({ annotation }) => annotation !== undefined);
  expect(marked.map(({ value, annotation }) => [value, annotation])).toEqual(
    ["【4:0†favorite_foods.txt】", "【4:1†a b.pdf】", "【4:2†c.md】", "【4:3†😀 d】", "【4:19†最后.pdf】"].map(
      (text) => {
        const start_index = Array.from(TEXT.slice(0, TEXT.indexOf(text))).length;
        const end_index = start_index + Array.from(text).length;
        const file_citation = { file_id: `file-${/:(\d+)/.exec(text)?.[1]}` };
        return [text, { type: "file_citation", text, start_index, end_index, file_citation }];
      },
    ),
  );
});

test("a recorded answer of the original: text, places and file", () => {
  const text = "Filip's favorite food is cake【4:0†favorite_foods.txt】.";
  expect(whole(text)).toEqual([
    { value: "Filip's favorite food is cake", annotation: undefined },
    {
      value: "【4:0†favorite_foods.txt】",
      annotation: {
        type: "file_citation",
        text: "【4:0†favorite_foods.txt】",
        start_index: 29,
        end_index: 53,
        file_citation: { file_id: "file-0" },
      },
    },
    { value: ".", annotation: undefined },
  ]);
});

const PARTS = [
  "【",
  "】",
  "†",
  ":",
  "4",
  "0",
  "12",
  "a.pdf",
  " ",
  "\n",
  "😀",
  "\ud83d",
  "\ude00",
  "word ",
  "【4:0†x】",
];
const texts = fc.oneof(
  fc.constant(TEXT),
  fc
    .array(fc.constantFrom(...PARTS, citationOf(4, 7, "long name 😀.docx"), citationOf(8, 0, "unknown")), {
      maxLength: 60,
    })
    .map((parts) => parts.join("")),
);

/** `CITATION_CASES=20000` for a long look. */
const RUNS = Number(process.env.CITATION_CASES ?? 20_000);

test("20,000 splits: the same annotations, at their places, and not a character more or less", {
  timeout: 120_000,
}, () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(texts, lengths, (text, cuts) => {
      const expected = annotationsOf(whole(text));
      const citations = known();
      const pieces: TextPiece[] = [];
      for (let at = 0, n = 0; at < text.length; n++) {
        const next = at + (cuts[n % cuts.length] ?? 1);
        pieces.push(...citations.push(text.slice(at, next)));
        const said = pieces.map(({ value }) => value).join("");
        expect(said + citations.held).toBe(text.slice(0, next));
        expect(citations.held.length).toBeLessThanOrEqual(LONGEST_CITATION);
        at = next;
      }
      pieces.push(...citations.end());
      expect(pieces.map(({ value }) => value).join("")).toBe(text);
      expect(pieces.filter(({ value }) => value === "")).toEqual([]);
      expect(annotationsOf(pieces)).toEqual(expected);
      for (const each of expected) expect(codePoints(text, each.start_index, each.end_index)).toBe(each.text);
    }),
    { numRuns: RUNS },
  );
});

test("text that cannot become a marker is never held", () => {
  const citations = known();
  for (const text of ["plain", "a ( b", "[1]", "†", "】"]) {
    expect(citations.push(text)).toEqual([{ value: text, annotation: undefined }]);
  }
  expect(citations.push("x【4")).toEqual([{ value: "x", annotation: undefined }]);
  expect(citations.held).toBe("【4");
  expect(citations.push(" years")).toEqual([{ value: "【4 years", annotation: undefined }]);
});

test("a marker without an end is held up to its longest, then told", () => {
  const citations = known();
  const text = `【4:0†${"n".repeat(LONGEST_CITATION)}】`;
  const pieces = Array.from(text).flatMap((letter) => citations.push(letter));
  expect(pieces[0]?.value.length).toBe(LONGEST_CITATION + 1);
  expect([...pieces, ...citations.end()].map(({ value }) => value).join("")).toBe(text);
  expect(annotationsOf(pieces)).toEqual([]);
});

test("names that would break a marker do not, however long or odd", () => {
  for (const name of ["a】b【c.pdf", "line\nbreak\r\n.txt", "x".repeat(5_000), "😀".repeat(200), "", "†:【4:1†y】"]) {
    const marker = citationOf(4, 3, name);
    expect(marker.length).toBeLessThanOrEqual(LONGEST_CITATION);
    expect(annotationsOf(whole(`so ${marker}`))).toMatchObject([
      { text: marker, file_citation: { file_id: "file-3" } },
    ]);
  }
});

test("a text has so many annotations and no more", () => {
  const text = "【4:0†x】".repeat(MOST_ANNOTATIONS + 5);
  const pieces = whole(text);
  expect(annotationsOf(pieces).length).toBe(MOST_ANNOTATIONS);
  expect(pieces.map(({ value }) => value).join("")).toBe(text);
});

/** Paths end where a character follows that is none of theirs. */
const sandboxPaths: Marker = {
  opening: "s",
  longest: 300,
  read(text, isAll) {
    const prefix = "sandbox:/mnt/data/";
    if (text.length < prefix.length && prefix.startsWith(text)) return "unfinished";
    const found = /^sandbox:\/mnt\/data\/[\w.-]+/.exec(text)?.[0];
    if (found === undefined) return text === prefix ? "unfinished" : "none";
    if (found.length === text.length && !isAll) return "unfinished";
    return { length: found.length, target: { type: "file_path", file_path: { file_id: "file-plot" } } };
  },
};

test("other kinds of markers work beside citations, also those that only their end tells, or the text's", () => {
  const text =
    "See [the plot](sandbox:/mnt/data/plot.png), as 【4:0†x】 says; sandbox: is 😀 no path, sandbox:/mnt/data/b.csv";
  const make = () => new Citations([fileCitations(fileOf), sandboxPaths]);
  const expected = annotationsOf(whole(text, make()));
  expect(expected.map(({ type, text: marker }) => [type, marker])).toEqual([
    ["file_path", "sandbox:/mnt/data/plot.png"],
    ["file_citation", "【4:0†x】"],
    ["file_path", "sandbox:/mnt/data/b.csv"],
  ]);
  for (const each of expected) expect(codePoints(text, each.start_index, each.end_index)).toBe(each.text);
  for (let size = 1; size < text.length; size++) {
    const citations = make();
    const pieces: TextPiece[] = [];
    for (let at = 0; at < text.length; at += size) pieces.push(...citations.push(text.slice(at, at + size)));
    pieces.push(...citations.end());
    expect(annotationsOf(pieces)).toEqual(expected);
    expect(pieces.map(({ value }) => value).join("")).toBe(text);
  }
});
