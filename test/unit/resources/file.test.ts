import { expect, test } from "vitest";
import { assertExtension, cleanFilename, PURPOSES, purposeOf } from "../../../src/resources/file.ts";
import { extensionOf } from "../../../src/resources/file-types.ts";

test.each([
  ["a.txt", "a.txt"],
  ["../../etc/passwd", "passwd"],
  ["C:\\files\\a.PDF", "a.PDF"],
  ["a/", ""],
  ["..", ""],
  [" ", ""],
  ["a\u0000\r\nb.txt", "ab.txt"],
  ["lone \ud800.txt", "lone \ufffd.txt"],
])("the name %j is kept as %j", (given, kept) => {
  expect(cleanFilename(given)).toBe(kept);
});

test("extensions are compared without regard to case, and a file needs one where its purpose says which", () => {
  expect(extensionOf("a.b.PDF")).toBe("pdf");
  expect(() => assertExtension("assistants", "A.PDF")).not.toThrow();
  expect(() => assertExtension("assistants", "a.exe")).toThrow(/^Invalid extension exe\. Supported formats: "c", /);
  expect(() => assertExtension("assistants", "Makefile")).not.toThrow();
  expect(() => assertExtension("vision", "picture")).toThrow(/^Invalid extension \. Supported formats: "gif"/);
  expect(() => assertExtension("user_data", "Makefile")).not.toThrow();
  expect(() => assertExtension("batch", "a.json")).toThrow('Invalid extension json. Supported formats: "jsonl"');
});

test("purposes are taken as they are written", () => {
  for (const purpose of PURPOSES) expect(purposeOf(purpose)).toBe(purpose);
  for (const wrong of ["", "Assistants", "assistants_output", "__proto__"]) {
    expect(() => purposeOf(wrong)).toThrow(`'${wrong}' is not one of [`);
  }
});
