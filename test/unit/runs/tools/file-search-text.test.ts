import { describe, expect, test } from "vitest";
import { isGpt35, queriesOf, rendered } from "../../../../src/runs/tools/file-search-text.ts";
import { within } from "../../../../src/runs/tools/result-budget.ts";

describe("queries", () => {
  test.each([
    ['{"queries":["a","b"]}', ["a", "b"]],
    ['{"queries":[" a ","a",""]}', ["a"]],
    ['{"queries":"a"}', ["a"]],
    ['{"query":"a","more":1}', ["a"]],
    ['{"queries":["1","2","3","4","5","6"]}', ["1", "2", "3", "4", "5"]],
    [`{"queries":["${"x".repeat(3_000)}"]}`, ["x".repeat(2_000)]],
  ])("are read from %#", (written, queries) => {
    expect(queriesOf(written)).toEqual(queries);
  });

  test.each(["", "{}", "not JSON", '{"queries":[]}', '{"queries":[" "]}', '{"queries":[1]}', "null", '"a"', "[]"])(
    "are not read from %s",
    (written) => {
      expect(queriesOf(written)).toBeUndefined();
    },
  );
});

describe("results for the model", () => {
  const result = (file_name: string, text: string) => ({
    file_id: "file-1",
    file_name,
    score: 1,
    attributes: {},
    content: [{ type: "text" as const, text }],
  });

  test("stand under the markers that cite them", () => {
    expect(rendered([result("a.txt", "One."), result("b【1】\n.txt", "Two.")], 8)).toMatch(
      /^【8:0†a\.txt】\nOne\.\n\n【8:1†b1\.txt】\nTwo\.\n\nWhere the answer uses/,
    );
  });

  test("say when there are none", () => {
    expect(rendered([], 4)).toBe("Nothing was found.");
  });
});

describe("a budget", () => {
  const texts = ["one two three", "four five six", "seven"].map((text) => ({ text }));

  test("lets through the first results that fit, and what is left is for the next call", async () => {
    const budget = { tokens: 6, bytes: 1_000 };
    expect(await within(texts, budget)).toEqual(texts.slice(0, 2));
    expect(budget.tokens).toBe(0);
    expect(await within(texts, budget)).toEqual([]);
  });

  test("bounds bytes as well", async () => {
    expect(await within(texts, { tokens: 100, bytes: 30 })).toEqual(texts.slice(0, 1));
  });
});

test.each([
  ["gpt-3.5-turbo", true],
  ["gpt-35-turbo-16k", true],
  ["gpt-4o", false],
  ["my-gpt-3.5", false],
])("%s is of the family with a small context: %s", (model, is) => {
  expect(isGpt35(model)).toBe(is);
});
