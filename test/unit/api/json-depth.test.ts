import { expect, test } from "vitest";
import { jsonDepth } from "../../../src/api/json-depth.ts";

test.each([
  ["", 0],
  ["1", 0],
  ["{}", 1],
  ['{"a":[{}],"b":{}}', 3],
  ['{"a":"[[[["}', 1],
  ['["\\"[[",[]]', 2],
  ['["\\\\",[[]]]', 3],
  [`${"[".repeat(5000)}${"]".repeat(5000)}`, 5000],
])("%s", (text, depth) => {
  expect(jsonDepth(text)).toBe(depth);
});
