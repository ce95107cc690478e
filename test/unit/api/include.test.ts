import { describe, expect, test } from "vitest";
import { includeQuery, shownEvent, shownStep } from "../../../src/api/include.ts";
import { readQuery } from "../../../src/api/parameters.ts";
import { validated } from "../../../src/api/validation.ts";
import { apiObject } from "../../../src/store/documents.ts";
import { stepDoc } from "../documents.ts";

const CONTENTS = "step_details.tool_calls[*].file_search.results[*].content";
const ENCODED = encodeURIComponent(CONTENTS);
const given = (query: string) => validated(includeQuery, readQuery(new URLSearchParams(query)));

test.each([
  ["as most clients spell it", `include[]=${CONTENTS}`],
  ["encoded", `include%5B%5D=${ENCODED}`],
  ["without brackets", `include=${CONTENTS}`],
  ["encoded twice", `include%255B%255D=${encodeURIComponent(ENCODED)}`],
  ["with a number", `include[0]=${CONTENTS}`],
])("include is read %s", (_, query) => {
  expect(given(query)).toEqual({ include: [CONTENTS] });
});

test("what else is asked for is refused in words, wherever it stands among others", () => {
  expect(given("after=step_1")).toEqual({});
  for (const [query, param] of [
    ["include[]=usage", "include[0]"],
    [`include[]=${CONTENTS}&include[]=usage`, "include[1]"],
  ] as const) {
    expect(() => given(query)).toThrow(
      expect.objectContaining({
        status: 400,
        body: {
          error: {
            message: `Invalid value: 'usage'. Supported value is: '${CONTENTS}'.`,
            type: "invalid_request_error",
            param,
            code: "invalid_value",
          },
        },
      }),
    );
  }
});

describe("the texts of results", () => {
  const result = { file_id: "file-1", file_name: "a.txt", score: 0.5, attributes: {} };
  const withTexts = { ...result, content: [{ type: "text" as const, text: "words" }] };
  const options = { ranker: "default_2024_08_21" as const, score_threshold: 0 };
  const stepOf = (results: (typeof result)[]) =>
    apiObject(
      stepDoc({
        type: "tool_calls",
        tool_calls: [
          { id: "call_1", type: "file_search", file_search: { ranking_options: options, results } },
          { id: "call_2", type: "function", function: { name: "f", arguments: "{}", output: null } },
        ],
      }),
    );
  const step = stepOf([withTexts]);

  test("stay away unless a request asks for them", () => {
    expect(shownStep(step, {})).toEqual(stepOf([result]));
    expect(shownStep(step, { include: [] })).toEqual(stepOf([result]));
    expect(shownStep(step, { include: [CONTENTS] })).toBe(step);
  });

  test("stay away in events as well", () => {
    const event = { event: "thread.run.step.completed", data: step };
    expect(shownEvent(event, {}).data).toEqual(stepOf([result]));
    expect(shownEvent(event, { include: [CONTENTS] }).data).toBe(step);
    const delta = { event: "thread.run.step.delta", data: { delta: {} } };
    expect(shownEvent(delta, {})).toEqual(delta);
  });
});
