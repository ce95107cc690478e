import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { exampleValue, type Schema } from "../../../local/model/example-value.ts";

const ajv = new Ajv({ strict: false });
addFormats.default(ajv);

const schemas: Record<string, Schema> = {
  "nested objects and arrays": {
    type: "object",
    properties: {
      order: { type: "object", properties: { lines: { type: "array", items: { type: "integer" }, minItems: 3 } } },
      tags: { type: "array", items: { enum: ["red", "blue"] } },
    },
    required: ["order", "tags"],
  },
  "numbers within limits": {
    type: "object",
    properties: {
      low: { type: "number", maximum: -5 },
      high: { type: "integer", exclusiveMinimum: 10 },
      step: { type: "integer", minimum: 7, multipleOf: 5 },
      nullable: { type: ["integer", "null"], minimum: 2.5 },
    },
    required: ["low", "high", "step", "nullable"],
  },
  "strings with formats and lengths": {
    type: "object",
    properties: {
      day: { type: "string", format: "date" },
      at: { type: "string", format: "date-time" },
      mail: { type: "string", format: "email" },
      link: { type: "string", format: "uri" },
      id: { type: "string", format: "uuid" },
      code: { type: "string", minLength: 30, maxLength: 32 },
      short: { type: "string", maxLength: 2 },
    },
    required: ["day", "at", "mail", "link", "id", "code", "short"],
  },
  "references, unions and intersections": {
    $defs: {
      Place: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      Named: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
    },
    type: "object",
    properties: {
      at: { $ref: "#/$defs/Place" },
      maybe: { anyOf: [{ type: "null" }, { $ref: "#/$defs/Place" }] },
      both: { allOf: [{ $ref: "#/$defs/Place" }, { $ref: "#/$defs/Named" }] },
    },
    required: ["at", "maybe", "both"],
  },
  "a tree, whose children are trees": {
    type: "object",
    properties: { children: { type: "array", items: { $ref: "#" } }, label: { type: "string" } },
    required: ["label"],
  },
};

for (const [name, schema] of Object.entries(schemas)) {
  test(`arguments are valid for a schema with ${name}`, () => {
    const value = exampleValue(schema);
    expect(ajv.validate(schema, value), `${ajv.errorsText()} in ${JSON.stringify(value)}`).toBe(true);
    expect(exampleValue(schema)).toEqual(value);
  });
}

test("a schema that requires itself for ever still gives a value", () => {
  const schema: Schema = { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] };
  expect(exampleValue(schema)).toHaveProperty("next.next");
});

test("an example in the description is taken at its word", () => {
  expect(exampleValue({ type: "string", description: "The city and state, e.g. San Francisco, CA" })).toBe(
    "San Francisco, CA",
  );
});
