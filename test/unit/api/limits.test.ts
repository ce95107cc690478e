/** Every list of a request is taken at its longest, and refused one longer before its items are looked at. */
import { describe, expect, test } from "vitest";
import { operations } from "../../../src/api/operations/index.ts";
import { validated } from "../../../src/api/validation.ts";
import { ApiError } from "../../../src/resources/errors.ts";
import { MAX_OBJECT_BYTES, MAX_TOOL_CALLS } from "../../../src/resources/limits.ts";
import { submitToolOutputsRequest } from "../../../src/resources/run.ts";
import { MAX_UPLOAD_PARTS } from "../../../src/resources/upload.ts";
import { MAX_STORE_FILES } from "../../../src/resources/vector-store.ts";
import { nameOf } from "../../e2e/bad-input/defects.ts";
import { alternativesOf, placesOf, schemaOf, simplest } from "../../e2e/bad-input/schema.ts";
import { arrayTooLong, expectRefusal, long, many, refuses, tooLong } from "./refusals.ts";

const KNOWN = { assistant_id: "asst_1" };

const lists = operations.flatMap(({ name, body }) => {
  if (body === undefined) return [];
  return placesOf(schemaOf(body), KNOWN).flatMap((place) =>
    alternativesOf(place.schema)
      .filter(({ type }) => type === "array")
      .map(({ items = {}, maxItems = Number.NaN }) => ({
        body,
        place,
        what: `${nameOf(place.path)} of ${name}`,
        item: simplest(items, KNOWN),
        maximum: maxItems,
      })),
  );
});

test("there are lists", () => {
  expect(lists.length).toBeGreaterThan(20);
});

test.each(lists)("$what may have $maximum items", ({ body, place, item, maximum }) => {
  expect(maximum).toBeLessThanOrEqual(Math.max(MAX_TOOL_CALLS, MAX_UPLOAD_PARTS, MAX_STORE_FILES));
  const path = nameOf(place.path);
  validated(body, place.with(many(maximum, item)));
  expectRefusal(body, ["", place.with(many(maximum + 1, item)), ...arrayTooLong(path, maximum, maximum + 1)]);
  expectRefusal(body, ["", place.with(many(maximum + 1, [])), ...arrayTooLong(path, maximum, maximum + 1)]);
});

const withMetadata = operations.filter(
  ({ body }) => body !== undefined && "metadata" in (schemaOf(body).properties ?? {}),
);

test.each(withMetadata)("the pairs of $name's metadata are counted before they are looked at", ({ body }) => {
  if (body === undefined) throw new Error("no body");
  const required = simplest(schemaOf(body), KNOWN) as object;
  const wrong = {
    ...required,
    metadata: Object.fromEntries(many(17, 7).map((value, index) => [`key${index}`, value])),
  };
  const text =
    "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, " +
    "but got an object with 17 properties instead.";
  expectRefusal(body, ["", wrong, text, "metadata", "object_above_max_properties"]);
});

const outputs = (...texts: string[]) => ({
  tool_outputs: texts.map((output, index) => ({ tool_call_id: `call_${index}`, output })),
});

const TOGETHER: [string, string, string] = [
  "'tool_outputs' too large: the combined tool outputs must be less than 512kb.",
  "tool_outputs",
  "invalid_value",
];

describe("tool outputs may have 512 KB together", () => {
  test.each([
    ["in one", outputs(long(524_288))],
    ["in 128", outputs(...many(128, long(4_096)).map(String))],
    ["in two bytes a character", outputs("é".repeat(262_144))],
  ])("%s", (_, input) => {
    expect(validated(submitToolOutputsRequest, input)).toEqual(input);
  });
});

refuses("submitToolOutputs", submitToolOutputsRequest, [
  ["one output of more than 512 KB", outputs(long(524_289)), ...TOGETHER],
  ["several of more than 512 KB together", outputs("x", long(524_288)), ...TOGETHER],
  ["more bytes than characters", outputs("é".repeat(262_145)), ...TOGETHER],
  [
    "one of more than 1,048,576 characters",
    outputs("", "", long(1_048_577)),
    ...tooLong("tool_outputs[2].output", 1_048_576, 1_048_577),
  ],
  [
    "what has more bytes once it is written as JSON than an object may have",
    outputs("\u0001".repeat(200_000)),
    `Invalid 'tool_outputs': too large. Expected at most ${MAX_OBJECT_BYTES} bytes, but got 1200039 bytes instead.`,
    "tool_outputs",
    "above_max_size",
  ],
]);

describe("a refusal repeats 128 characters of a wrong value", () => {
  const body = operations.find(({ name }) => name === "createAssistant")?.body;
  if (body === undefined) throw new Error("there is no createAssistant");

  function textOf(input: unknown): string {
    try {
      validated(body as NonNullable<typeof body>, input);
    } catch (error) {
      if (error instanceof ApiError) return JSON.stringify(error.body);
    }
    throw new Error("not refused");
  }

  test.each([
    ["of a choice", { model: "m", reasoning_effort: long(1_000_000) }],
    ["of a type", { model: "m", tools: [{ type: long(1_000_000) }] }],
    ["in the name of a parameter", { model: "m", [long(1_000_000)]: 1 }],
    ["in the name of a pair", { model: "m", metadata: { [long(1_000_000)]: "" } }],
    ["in the name of a pair with a wrong value", { model: "m", metadata: { [long(1_000_000)]: 7 } }],
  ])("%s", (_, input) => {
    expect(textOf(input).length).toBeLessThan(700);
  });

  test("and all of a shorter one", () => {
    expect(textOf({ model: "m", tools: [{ type: long(128) }] })).toContain(`'${long(128)}'`);
    expect(textOf({ model: "m", tools: [{ type: long(129) }] })).toContain(`'${long(128)}…'`);
  });
});
