import { expect, test } from "vitest";
import { eachOnce } from "../../../src/stores/attach-many.ts";

test("a file that a request names twice comes once: as and where it is named first", () => {
  const files = ["a", "b", "a", "c", "b"].map((id, number) => ({ file_id: id, attributes: { number } }));
  expect(eachOnce(files)).toEqual([files[0], files[1], files[3]]);
});
