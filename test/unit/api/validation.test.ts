import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { pageQuery } from "../../../src/api/paging.ts";
import { formatPath, validated } from "../../../src/api/validation.ts";
import { createAssistantRequest } from "../../../src/resources/assistant.ts";
import { createMessageRequest, modifyMessageRequest } from "../../../src/resources/message.ts";
import { createRunRequest, modifyRunRequest } from "../../../src/resources/run.ts";
import { modifyThreadRequest } from "../../../src/resources/thread.ts";
import {
  expectRefusal,
  long,
  many,
  missing,
  pairs,
  type Row,
  refuses,
  tooLong,
  unknownParameter,
  wrongType,
} from "./refusals.ts";

// Texts of the original, written out in full: the shared words of the other tables are held against them, too.
describe("the original's own words:", () => {
  const rows: [...Row, z.ZodType][] = [
    [
      "a boolean in metadata",
      { metadata: { modified: true } },
      "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
      "metadata.modified",
      "invalid_type",
      modifyMessageRequest,
    ],
    [
      "17 pairs of metadata",
      { metadata: pairs(17) },
      "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead.",
      "metadata",
      "object_above_max_properties",
      modifyThreadRequest,
    ],
    [
      "a long value in metadata",
      { metadata: { k: long(695) } },
      "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string with length 695 instead.",
      "metadata.k",
      "string_above_max_length",
      modifyRunRequest,
    ],
    [
      "a long value of characters that are two units each",
      { metadata: { k: `${"😀".repeat(600)}\ud83d` } },
      "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string with length 601 instead.",
      "metadata.k",
      "string_above_max_length",
      modifyRunRequest,
    ],
    [
      "a message that is too long",
      { role: "user", content: long(1_620_133) },
      "Invalid 'content': string too long. Expected a string with maximum length 256000, but got a string with length 1620133 instead.",
      "content",
      "string_above_max_length",
      createMessageRequest,
    ],
    [
      "a role that there is not",
      { role: "human", content: "Hi" },
      "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
      "role",
      "invalid_value",
      createMessageRequest,
    ],
    [
      "a run without an assistant",
      {},
      "Missing required parameter: 'assistant_id'.",
      "assistant_id",
      "missing_required_parameter",
      createRunRequest,
    ],
    [
      "an assistant's id that begins with something else",
      { assistant_id: "foo" },
      "Invalid 'assistant_id': 'foo'. Expected an ID that begins with 'asst'.",
      "assistant_id",
      "invalid_value",
      createRunRequest,
    ],
    [
      "a parameter that a run does not take",
      { assistant_id: "asst_1", file_ids: [] },
      "Unknown parameter: 'file_ids'.",
      "file_ids",
      "unknown_parameter",
      createRunRequest,
    ],
    [
      "a temperature above 2",
      { model: "m", temperature: 3 },
      "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
      "temperature",
      "decimal_above_max_value",
      createAssistantRequest,
    ],
    [
      "129 tools",
      { model: "m", tools: many(129, { type: "code_interpreter" }) },
      "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 129 instead.",
      "tools",
      "array_above_max_length",
      createAssistantRequest,
    ],
  ];
  for (const [what, input, message, param, code, schema] of rows) {
    test(what, () => expectRefusal(schema, [what, input, message, param, code]));
  }

  // The characters are checked before the prefix.
  test("an assistant's id with a colon", () => {
    expectRefusal(createRunRequest, [
      "",
      { assistant_id: "a:7" },
      "Invalid 'assistant_id': 'a:7'. Expected an ID that contains letters, numbers, underscores, or dashes, but this value contained additional characters.",
      "assistant_id",
      "invalid_value",
    ]);
  });

  test("a limit of 101", () => {
    expectRefusal(pageQuery, [
      "",
      { limit: "101" },
      "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
      "limit",
      "integer_above_max_value",
    ]);
  });

  test("a limit of 0", () => {
    expectRefusal(pageQuery, [
      "",
      { limit: "0" },
      "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
      "limit",
      "integer_below_min_value",
    ]);
  });
});

refuses("every request", modifyThreadRequest, [
  ["a body that is null", null, ...wrongType("body", "an object", "null")],
  ["a body that is an array", [], ...wrongType("body", "an object", "an array")],
  ["a body that is a string", "x", ...wrongType("body", "an object", "a string")],
  ["a body that is a number", 5, ...wrongType("body", "an object", "an integer")],
  ["an unknown parameter", { colour: "red" }, ...unknownParameter("colour")],
  ["two unknown parameters, naming the first", { b: 1, a: 1 }, ...unknownParameter("b")],
]);

refuses("metadata", modifyThreadRequest, [
  ["a number", { metadata: { k: 1 } }, ...wrongType("metadata.k", "a string", "an integer")],
  ["a decimal", { metadata: { k: 1.5 } }, ...wrongType("metadata.k", "a string", "a decimal")],
  ["null for a value", { metadata: { k: null } }, ...wrongType("metadata.k", "a string", "null")],
  ["an object for a value", { metadata: { k: {} } }, ...wrongType("metadata.k", "a string", "an object")],
  ["an array for a value", { metadata: { k: [] } }, ...wrongType("metadata.k", "a string", "an array")],
  ["an array", { metadata: [] }, ...wrongType("metadata", "an object", "an array")],
  ["a string", { metadata: "k=v" }, ...wrongType("metadata", "an object", "a string")],
  ["a value of 513 characters", { metadata: { k: long(513) } }, ...tooLong("metadata.k", 512, 513)],
  [
    "a value of 513 characters beyond the first plane of Unicode",
    { metadata: { k: "🧵".repeat(513) } },
    ...tooLong("metadata.k", 512, 513),
  ],
  [
    "a name of 65 characters",
    { metadata: { [long(65)]: "v" } },
    "Invalid 'metadata': property name too long. Expected property names with maximum length 64, but got one with length 65 instead.",
    "metadata",
    "property_name_above_max_length",
  ],
]);

test("a number of tokens in quotes is told to be an integer", () => {
  expectRefusal(createRunRequest, [
    "",
    { assistant_id: "asst_1", max_prompt_tokens: "500" },
    ...wrongType("max_prompt_tokens", "an integer", "a string"),
  ]);
});

test("what is on the limit is accepted", () => {
  const accepted: [z.ZodType, unknown][] = [
    [createAssistantRequest, { model: "m", name: long(256), description: long(512), instructions: long(256_000) }],
    [createAssistantRequest, { model: "m", tools: many(128, { type: "code_interpreter" }), temperature: 2, top_p: 1 }],
    [createAssistantRequest, { model: "m", temperature: 0, top_p: 0, metadata: pairs(16) }],
    [createAssistantRequest, { model: "m", tools: [{ type: "function", function: { name: `a-Z_9${long(59)}` } }] }],
    [createMessageRequest, { role: "user", content: long(256_000) }],
    [createMessageRequest, { role: "user", content: "x", metadata: { [long(64)]: long(512) } }],
    [createRunRequest, { assistant_id: "asst_1", max_prompt_tokens: 1, max_completion_tokens: 16 }],
    [pageQuery, { limit: "1" }],
    [pageQuery, { limit: "100" }],
  ];
  for (const [schema, input] of accepted) expect(() => validated(schema, input)).not.toThrow();
});

test("a path is written as clients write it", () => {
  expect(formatPath([])).toBe("body");
  expect(formatPath(["tools", 1, "function", "name"])).toBe("tools[1].function.name");
  expect(formatPath(["a", 0, 1])).toBe("a[0][1]");
});

test("nothing is looked at behind the first problem", () => {
  const looked = new Set<PropertyKey>();
  const content = new Proxy(many(50, { type: "text" }), {
    get(parts, name) {
      looked.add(name);
      return Reflect.get(parts, name);
    },
  });
  const input = { role: "user", content };
  expectRefusal(createMessageRequest, ["", input, ...missing("content[0].text")]);
  expect(looked).toContain("0");
  expect(looked).not.toContain("1");
});
