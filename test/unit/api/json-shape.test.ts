import fc from "fast-check";
import { expect, test } from "vitest";
import { JsonShape } from "../../../src/api/json-shape.ts";

function shapeOf(text: string, pieces = [text.length]): JsonShape {
  const shape = new JsonShape();
  let from = 0;
  for (const to of pieces) {
    shape.scan(text, from, to);
    from = to;
  }
  return shape;
}

test.each([
  ["", 0, 1],
  ["1", 0, 1],
  ["{}", 1, 2],
  ['{"a":[{}],"b":{}}', 3, 6],
  ['{"a":"[[[[,,,,"}', 1, 2],
  ['["\\"[[",[]]', 2, 4],
  ['["\\\\",[[]]]', 3, 5],
  ["[1,2,3]", 1, 4],
])("%s is %i levels deep and has at most %i values", (text, depth, values) => {
  const shape = shapeOf(text);
  expect(shape).toMatchObject({ depth, values, isClosed: true });
});

test("a text that is nested too deeply for any parser is read all the same", () => {
  const levels = 1_000_000;
  expect(shapeOf("[".repeat(levels) + "]".repeat(levels))).toMatchObject({ depth: levels, isClosed: true });
});

test.each(["{", '["a', '["a\\"]', "[[]", "}"])("%s has no end, or no beginning", (text) => {
  expect(shapeOf(text).isClosed).toBe(false);
});

function valuesIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + valuesIn(item), 1);
}

test("any JSON is closed and has no more values than are counted, in however many pieces it is read", () => {
  const cuts = fc.array(fc.nat(100), { maxLength: 3 });
  fc.assert(
    fc.property(fc.json(), cuts, (text, at) => {
      const pieces = [...at.map((cut) => Math.min(cut, text.length)), text.length].toSorted((a, b) => a - b);
      const shape = shapeOf(text, pieces);
      expect(shape.isClosed).toBe(true);
      expect(shape.values).toBeGreaterThanOrEqual(valuesIn(JSON.parse(text)));
    }),
  );
});
