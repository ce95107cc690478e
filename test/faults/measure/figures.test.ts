import { expect, test } from "vitest";
import { quantile } from "../../../bench/lib/quantiles.ts";
import { slope } from "./figures.ts";

test("a quantile is one of the values", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 100, 198, 200]);
  expect(quantile([], 0.5)).toBeNaN();
});

test("a slope is what a row climbs by from one value to the next, whatever single values do", () => {
  expect(slope([5, 7, 9, 11])).toBe(2);
  expect(slope([4, 4, 4])).toBe(0);
  expect(slope([0, 100, 0])).toBe(0);
  expect(slope([7])).toBe(0);
});
