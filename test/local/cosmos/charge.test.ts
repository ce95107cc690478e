import { describe, expect, test } from "vitest";
import { deleteCharge, insertCharge, queryCharge, readCharge, replaceCharge } from "../../../local/cosmos/charge.ts";
import { Indexing } from "../../../local/cosmos/indexing.ts";

const KB = 1024;

describe("a charge", () => {
  test("meets the published figures for reads: 1 RU for 1 KB, 10 RU for 100 KB", () => {
    expect(readCharge(KB)).toBe(1);
    expect(readCharge(100)).toBe(1);
    expect(readCharge(100 * KB)).toBeCloseTo(10);
  });

  test("of a small insert is 5 to 6 RU, of a delete the same, of a replace about 10", () => {
    const weight = { bytes: KB, indexedPaths: 5 };
    expect(insertCharge(weight)).toBeCloseTo(5.5);
    expect(deleteCharge(weight)).toBeCloseTo(5.5);
    expect(replaceCharge(weight, weight)).toBeCloseTo(11);
    expect(insertCharge({ bytes: 100 * KB, indexedPaths: 0 })).toBeCloseTo(50);
  });

  test("of a query grows with what it looks at and what it returns", () => {
    expect(queryCharge({ examined: 0, bytes: 0 })).toBe(2.3);
    expect(queryCharge({ examined: 100, bytes: 0 })).toBeCloseTo(5.3);
    expect(queryCharge({ examined: 1, bytes: 10 * KB })).toBeCloseTo(3.33);
  });
});

describe("an indexing policy", () => {
  const item = { id: "a", kind: "run", body: { text: "x", parts: [{ n: 1 }, { n: 2 }] }, "odd name": 1 };

  test.each([
    ["everything by default", ["/*"], ["/_etag/?"], 6],
    ["nothing but the id when all is excluded", [], ["/*"], 1],
    ["only what is included", ["/kind/?"], ["/*"], 2],
    ["not what is below an excluded path", ["/*"], ["/body/*"], 3],
    ["the longer path wins", ["/*", "/body/parts/[]/n/?"], ["/body/*"], 5],
    ["a name in quotes", ['/"odd name"/?'], ["/*"], 2],
  ])("indexes %s", (_, included, excluded, count) => {
    const paths = (list: string[]) => list.map((path) => ({ path }));
    const indexing = new Indexing({ includedPaths: paths(included), excludedPaths: paths(excluded) });
    expect(indexing.count(item)).toBe(count);
  });

  test("with the mode none indexes nothing", () => {
    expect(new Indexing({ indexingMode: "none", includedPaths: [{ path: "/*" }] }).count(item)).toBe(0);
  });
});
