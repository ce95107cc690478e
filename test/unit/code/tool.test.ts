/** What the model and the client see of the code interpreter. */
import { describe, expect, test } from "vitest";
import {
  codeTool,
  died,
  fileList,
  outputsOf,
  type ReadResult,
  readResult,
  shortened,
  shownLogs,
  type ToldFile,
  timedOut,
} from "../../../src/code/tool.ts";

const file = (path: string, more: Partial<ToldFile> = {}): ToldFile => ({
  path,
  filename: "sales.csv",
  bytes: 12_300,
  isLinked: true,
  isTooLarge: false,
  ...more,
});

test("the model is offered a function with one text, and told what it may count on", () => {
  const { description, parameters } = codeTool({ timeout: 60, packages: undefined, files: [] });
  expect(parameters).toMatchObject({
    properties: { code: { type: "string" } },
    required: ["code"],
    additionalProperties: false,
  });
  expect(description).toContain("At most 60 s a call; no internet; no pip.");
  expect(description).toContain("[name](sandbox:/mnt/data/name)");
  expect(description).not.toMatch(/Available|Files/);
  expect(description.length).toBeLessThan(600);
});

test("of a pool's hundreds of libraries those are named that code of models uses", () => {
  const packages = [
    "attrs",
    "Pandas",
    "numpy",
    "scikit_learn",
    "zipp",
    ...Array.from({ length: 400 }, (_, n) => `p${n}`),
  ];
  const { description } = codeTool({ timeout: 5, packages, files: [] });
  expect(description).toMatch(/Available: the standard library, numpy, pandas, scikit-learn\.$/);
});

test("the model does not plan on libraries that a pool is known not to have", () => {
  const descriptionWith = (packages: string[] | undefined) => codeTool({ timeout: 5, packages, files: [] }).description;
  expect(descriptionWith([])).toMatch(/Available: the standard library; no numpy, no pandas, no matplotlib\.$/);
  expect(descriptionWith([])).toContain("the value of the last expression, if it has a _repr_png_ method");
  expect(descriptionWith([])).not.toContain("Matplotlib figures");
  expect(descriptionWith(["numpy"])).not.toContain("Matplotlib figures");
  expect(descriptionWith(["matplotlib"])).toContain("Matplotlib figures");
  // It did not tell: then it is one like Azure's.
  expect(descriptionWith(undefined)).toContain("Matplotlib figures");
});

describe("the list of files", () => {
  test("has a line for each, with its paths, its name and its size", () => {
    const files = [
      file("file-abc"),
      file("file-def", { filename: "two.csv", bytes: 999, isLinked: false }),
      file("o.csv", { filename: "o.csv", bytes: 3_400_000 }),
      file("file-big", { filename: "big.bin", bytes: 300_000_000, isTooLarge: true }),
    ];
    expect(fileList(files)).toEqual([
      "Files:",
      '- /mnt/data/file-abc ("sales.csv", 12 kB), also /mnt/data/sales.csv',
      '- /mnt/data/file-def ("two.csv", 999 bytes)',
      "- /mnt/data/o.csv (3 MB)",
      '- "big.bin", 300 MB: too large for the session',
    ]);
    expect(fileList([])).toEqual([]);
  });

  test("stays short, and one line a file, whatever the names are", () => {
    const files = Array.from({ length: 60 }, (_, n) => file(`file-${n}`, { filename: `a\n"${"x".repeat(500)}\ud800` }));
    const lines = fileList(files);
    expect(lines.join("\n").length).toBeLessThan(5_000);
    expect(lines.at(-1)).toMatch(/^- and \d+ more in \/mnt\/data$/);
    expect(lines.every((line) => !line.includes("\n") && line.isWellFormed())).toBe(true);
  });
});

test("outputs are the logs, if there are any, and then the images", () => {
  const image = (file_id: string) => ({ type: "image", image: { file_id } });
  expect(outputsOf("", [])).toEqual([]);
  expect(outputsOf("4", [])).toEqual([{ type: "logs", logs: "4" }]);
  expect(outputsOf("", ["file-a", "file-b"])).toEqual([image("file-a"), image("file-b")]);
  expect(outputsOf("4", ["file-a"])).toEqual([{ type: "logs", logs: "4" }, image("file-a")]);
});

test("logs of a step have 100,000 characters at the most: four fifths of the beginning, one of the end", () => {
  const long = `${"a".repeat(500_000)}${"z".repeat(500_000)}`;
  expect(shownLogs(long)).toBe(`${"a".repeat(80_000)}\n… 900000 characters left out …\n${"z".repeat(20_000)}`);
  const exact = "x".repeat(100_000);
  expect(shownLogs(exact)).toBe(exact);
});

test("no character is cut in halves", () => {
  for (const [head, tail] of [
    [3, 3],
    [4, 4],
    [1, 1],
    [0, 2],
  ] as const) {
    expect(shortened("🎉".repeat(20), head, tail).isWellFormed()).toBe(true);
  }
  expect(shortened("a🎉🎉🎉b", 2, 2)).toBe("a\n… 6 characters left out …\nb");
});

describe("what the model reads", () => {
  const none: ReadResult = { logs: "", images: 0, unshown: 0, files: [], lost: [], restarted: false };
  const o = { path: "o.csv", size: 44 };

  test.each<[change: Partial<ReadResult>, read: string]>([
    [{}, "[no output]"],
    [{ logs: "4" }, "4"],
    [{ logs: "a\n" }, "a"],
    [{ logs: "a\n\n" }, "a\n"],
    [{ images: 1 }, "[1 image was shown to the user]"],
    [{ logs: "4", images: 2 }, "4\n[2 images were shown to the user]"],
    [{ files: [o] }, "[files: /mnt/data/o.csv (44 bytes)]"],
    [
      { logs: "1", files: [o], restarted: true },
      "1\n[session restarted: earlier variables are gone]\n[files: /mnt/data/o.csv (44 bytes)]",
    ],
    [{ lost: [{ path: "big", size: 30_000_000 }] }, "[too many or too large to be linked: /mnt/data/big (30 MB)]"],
  ])("%j", (change, read) => {
    expect(readResult({ ...none, ...change })).toBe(read);
  });

  test("is at most 8,000 characters of the beginning and of the end, and twenty files", () => {
    const files = Array.from({ length: 30 }, (_, n) => ({ path: `${n}.txt`, size: 1 }));
    const read = readResult({ ...none, logs: `a${"b".repeat(50_000)}c`, files });
    expect(read).toMatch(/^ab{7999}\n… 34002 characters left out …\nb{7999}c\n\[files: /);
    expect(read).toMatch(/19\.txt \(1 bytes\) and 10 more\]$/);
  });

  test("says of a lost session what is gone", () => {
    expect(timedOut(60)).toMatch(/^Timed out after 60 s\. The session was restarted: variables are gone/);
    expect(died("memory")).toContain("too much memory");
    expect(died("crash")).toContain("crashed");
  });
});
