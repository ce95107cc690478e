import { describe, expect, test } from "vitest";
import {
  createAssistantRequest,
  modifiedAssistant,
  modifyAssistantRequest,
  newAssistant,
} from "../../../src/resources/assistant.ts";
import type { ToolResources } from "../../../src/resources/common.ts";
import { CREATED } from "../documents.ts";

const ID = "asst_000000000000000000000001";
const create = (request: { tool_resources?: ToolResources | null } & Record<string, unknown> = {}) => {
  const parsed = createAssistantRequest.parse({ model: "gpt-4o", ...request });
  return newAssistant(parsed, ID, CREATED, request.tool_resources ?? {});
};
const modify = (before: ReturnType<typeof create>, request: object) =>
  modifiedAssistant(before, modifyAssistantRequest.parse(request));

describe("a new assistant", () => {
  test("has every field, with the defaults of the original", () => {
    expect(create()).toEqual({
      id: ID,
      object: "assistant",
      created_at: CREATED,
      name: null,
      description: null,
      model: "gpt-4o",
      instructions: null,
      tools: [],
      top_p: 1,
      temperature: 1,
      reasoning_effort: null,
      tool_resources: {},
      metadata: {},
      response_format: "auto",
    });
  });

  test("is the same when everything that may be null is", () => {
    const nulls = {
      name: null,
      description: null,
      instructions: null,
      tool_resources: null,
      metadata: null,
      temperature: null,
      top_p: null,
      reasoning_effort: null,
      response_format: null,
    };
    expect(create(nulls)).toEqual(create());
  });

  test("keeps what it was given", () => {
    const request = {
      name: "Tutor",
      description: "Helps",
      instructions: "Be kind.",
      temperature: 0,
      top_p: 0,
      reasoning_effort: "low" as const,
      metadata: { a: "b" },
      response_format: { type: "json_object" as const },
      tool_resources: { file_search: { vector_store_ids: ["vs_1"] } },
    };
    expect(create(request)).toMatchObject(request);
  });

  test("shows its functions with the defaults of the original", () => {
    const [tool] = create({ tools: [{ type: "function", function: { name: "f" } }] }).tools;
    expect(tool).toEqual({
      type: "function",
      function: { name: "f", parameters: { type: "object", properties: {} }, strict: false },
    });
    const [lax] = create({ tools: [{ type: "function", function: { name: "f", strict: null } }] }).tools;
    expect(lax).toMatchObject({ function: { strict: false } });
  });

  test("shows how it ranks what file search finds", () => {
    const ranking = { ranking_options: { ranker: "default_2024_08_21", score_threshold: 0 } };
    expect(create({ tools: [{ type: "file_search" }] }).tools).toEqual([{ type: "file_search", file_search: ranking }]);
    expect(create({ tools: [{ type: "file_search", file_search: { max_num_results: 3 } }] }).tools).toEqual([
      { type: "file_search", file_search: { ...ranking, max_num_results: 3 } },
    ]);
  });

  test("with the code interpreter shows its list of files, also an empty one", () => {
    const tools = [{ type: "code_interpreter" }];
    expect(create({ tools }).tool_resources).toEqual({ code_interpreter: { file_ids: [] } });
    const given = { code_interpreter: { file_ids: ["file-1"] } };
    expect(create({ tools, tool_resources: given }).tool_resources).toEqual(given);
    const search = { file_search: { vector_store_ids: ["vs_1"] } };
    expect(create({ tools, tool_resources: search }).tool_resources).toEqual({
      ...search,
      code_interpreter: { file_ids: [] },
    });
  });

  test("takes the response format none of Azure's specification for auto", () => {
    expect(create({ response_format: "none" }).response_format).toBe("auto");
  });
});

describe("modifying an assistant", () => {
  const before = create({
    name: "Tutor",
    instructions: "Be kind.",
    tools: [{ type: "code_interpreter" }, { type: "function", function: { name: "f" } }],
    metadata: { a: "1", b: "2" },
    temperature: 0.5,
    response_format: { type: "json_object" },
  });

  test("with nothing changes nothing", () => {
    expect(modify(before, {})).toEqual(before);
  });

  test("changes what is given and leaves the rest", () => {
    expect(modify(before, { name: "Coach", model: "gpt-4.1" })).toEqual({ ...before, name: "Coach", model: "gpt-4.1" });
  });

  test("replaces tools and metadata whole", () => {
    const after = modify(before, { tools: [], metadata: { c: "3" } });
    expect(after.tools).toEqual([]);
    expect(after.metadata).toEqual({ c: "3" });
  });

  test("with null clears what may be empty, and sets the rest back to its default", () => {
    const cleared = { name: null, description: null, instructions: null, metadata: null, reasoning_effort: null };
    expect(modify(before, { ...cleared, temperature: null, top_p: null, response_format: null })).toEqual({
      ...before,
      ...cleared,
      metadata: {},
      temperature: 1,
      top_p: 1,
      response_format: "auto",
    });
  });

  test("that gives it the code interpreter shows its list of files", () => {
    expect(modify(create(), { tools: [{ type: "code_interpreter" }] }).tool_resources).toEqual({
      code_interpreter: { file_ids: [] },
    });
  });

  test("leaves the assistant that it was given as it is", () => {
    const copy = structuredClone(before);
    modify(before, { name: "Coach", metadata: { c: "3" } });
    expect(before).toEqual(copy);
  });
});
