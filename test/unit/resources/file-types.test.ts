import { expect, test } from "vitest";
import {
  extensionOf,
  kindOfFile,
  refusedExtensions,
  SEARCHABLE_EXTENSIONS,
} from "../../../src/resources/file-types.ts";

test("the original's extensions can be searched, in any case, and no others", () => {
  expect(SEARCHABLE_EXTENSIONS).toEqual(
    "c cpp cs css doc docx go html java js json md pdf php pptx py rb sh tex ts txt".split(" "),
  );
  for (const extension of SEARCHABLE_EXTENSIONS) {
    expect(kindOfFile(`name.${extension}`)).toBeDefined();
    expect(kindOfFile(`name.${extension.toUpperCase()}`)).toBe(kindOfFile(`name.${extension}`));
  }
  for (const name of ["a.csv", "a.xlsx", "a.zip", "a.jpeg", "a.__proto__", "a.constructor", "txt", "", "a."]) {
    expect(kindOfFile(name)).toBeUndefined();
  }
});

test.each([
  ["a.tar.GZ", "gz"],
  ["dir.x/name", ""],
  ["dir.x\\name.MD", "md"],
  [".txt", "txt"],
  ["a.", ""],
  ["a.pdf\n", "pdf\n"],
])("the extension of %j is %j", (name, extension) => {
  expect(extensionOf(name)).toBe(extension);
});

test("a refusal names each extension once, in the original's words, and is short whatever the names", () => {
  expect(refusedExtensions(["a.txt", "b.PDF"], "file_ids")).toBeUndefined();
  const refusal = refusedExtensions(["a.csv", "b.txt", "c.XLSX", "d.csv", "e"], "file_ids");
  expect(refusal?.status).toBe(400);
  expect(refusal?.body.error).toEqual({
    message:
      "Files with extensions [.csv, .xlsx, none] are not supported for retrieval. See " +
      "https://platform.openai.com/docs/assistants/tools/file-search/supported-files",
    type: "invalid_request_error",
    param: "file_ids",
    code: "unsupported_file",
  });
  const many = Array.from({ length: 500 }, (_, n) => `a.${"x".repeat(1_000)}${n}`);
  expect(refusedExtensions(many, "file_ids")?.message.length).toBeLessThan(5_000);
});
