import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compatibilityPage, PAGE, stateProblems } from "../../../tools/docs/compatibility.ts";
import { fieldPaths } from "../../../tools/docs/fields.ts";

test("docs/compatibility.md is what `npm run docs` makes of it", () => {
  const page = readFileSync(PAGE, "utf8");
  expect(compatibilityPage(page) === page, "run `npm run docs` and commit the page").toBe(true);
});

test("making the page again changes nothing, and keeps what people wrote", () => {
  const page = readFileSync(PAGE, "utf8");
  const edited = page.replace("| `POST /assistants` |", "| `POST /edited` |").replace("# Compat", "# Our compat");
  expect(compatibilityPage(edited)).toBe(page.replace("# Compat", "# Our compat"));
});

test("a page without its markers is refused, not overwritten", () => {
  expect(() => compatibilityPage("# Compatibility\n")).toThrow("markers");
});

test("a new field needs a state, and a state needs something that exists, unless it says: not yet", () => {
  const states = { old: { state: "served" as const }, later: { state: "not yet" as const } };
  expect(stateProblems("field", ["old"], states)).toEqual([]);
  expect(stateProblems("field", ["old", "new"], states)).toEqual(["field new has no state"]);
  expect(stateProblems("field", [], states)).toEqual(['field old does not exist, but its state is "served"']);
});

test("the fields of a schema are found in objects, lists and unions, each once", () => {
  const schema = {
    anyOf: [
      {
        oneOf: [
          { type: "object", properties: { type: { const: "a" }, same: {}, one: { properties: { two: {} } } } },
          { type: "object", properties: { type: { const: "b" }, same: {} } },
        ],
      },
      { type: "null" },
    ],
  };
  expect(fieldPaths(schema)).toEqual(["type: a", "same", "one", "one.two", "type: b"]);
  expect(fieldPaths({ properties: { list: { items: schema } } })).toEqual([
    "list",
    "list[].type: a",
    "list[].same",
    "list[].one",
    "list[].one.two",
    "list[].type: b",
  ]);
});
