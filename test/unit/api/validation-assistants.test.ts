import { createAssistantRequest, modifyAssistantRequest } from "../../../src/resources/assistant.ts";
import {
  arrayTooLong,
  bound,
  emptyString,
  long,
  many,
  missing,
  refuses,
  tooLong,
  unknownParameter,
  unsupported,
  wrongPattern,
  wrongType,
} from "./refusals.ts";

const withTool = (tool: unknown) => ({ model: "m", tools: [tool] });
const withFunction = (changes: object) => withTool({ type: "function", function: { name: "f", ...changes } });
const withSearch = (search: object) => withTool({ type: "file_search", file_search: search });

refuses("creating an assistant", createAssistantRequest, [
  ["no model", {}, ...missing("model")],
  ["a model that is null", { model: null }, ...wrongType("model", "a string", "null")],
  ["a model that is a number", { model: 5 }, ...wrongType("model", "a string", "an integer")],
  ["an empty model", { model: "" }, ...emptyString("model")],
  ["a name of 257 characters", { model: "m", name: long(257) }, ...tooLong("name", 256, 257)],
  ["a description of 513 characters", { model: "m", description: long(513) }, ...tooLong("description", 512, 513)],
  [
    "instructions of 256,001 characters",
    { model: "m", instructions: long(256_001) },
    ...tooLong("instructions", 256_000, 256_001),
  ],
  ["tools that are an object", { model: "m", tools: {} }, ...wrongType("tools", "an array", "an object")],
  ["a tool that is a string", withTool("function"), ...wrongType("tools[0]", "an object", "a string")],
  ["a tool without a type", withTool({}), ...missing("tools[0].type")],
  ["a tool whose type is a number", withTool({ type: 5 }), ...wrongType("tools[0].type", "a string", "an integer")],
  [
    "the tool of the first version",
    withTool({ type: "retrieval" }),
    ...unsupported("tools[0].type", "retrieval", "'code_interpreter', 'function', and 'file_search'"),
  ],
  ["a function without its object", withTool({ type: "function" }), ...missing("tools[0].function")],
  [
    "the second tool, naming its place",
    { model: "m", tools: [{ type: "code_interpreter" }, { type: "function", function: {} }] },
    ...missing("tools[1].function.name"),
  ],
  ["a function name with a blank", withFunction({ name: "a b" }), ...wrongPattern("tools[0].function.name")],
  ["a function name of 65 characters", withFunction({ name: long(65) }), ...tooLong("tools[0].function.name", 64, 65)],
  [
    "parameters that are an array",
    withFunction({ parameters: [] }),
    ...wrongType("tools[0].function.parameters", "an object", "an array"),
  ],
  [
    "strict as a string",
    withFunction({ strict: "yes" }),
    ...wrongType("tools[0].function.strict", "a boolean", "a string"),
  ],
  ["an unknown part of a function", withFunction({ body: 1 }), ...unknownParameter("tools[0].function.body")],
  [
    "an unknown part of a tool",
    withTool({ type: "code_interpreter", image: "x" }),
    ...unknownParameter("tools[0].image"),
  ],
  [
    "51 search results",
    withSearch({ max_num_results: 51 }),
    ...bound("tools[0].file_search.max_num_results", "integer", "above", 50, 51),
  ],
  [
    "no search results",
    withSearch({ max_num_results: 0 }),
    ...bound("tools[0].file_search.max_num_results", "integer", "below", 1, 0),
  ],
  [
    "half a search result",
    withSearch({ max_num_results: 1.5 }),
    ...wrongType("tools[0].file_search.max_num_results", "an integer", "a decimal"),
  ],
  [
    "a score threshold of 2",
    withSearch({ ranking_options: { score_threshold: 2 } }),
    ...bound("tools[0].file_search.ranking_options.score_threshold", "decimal", "above", 1, 2),
  ],
  [
    "an unknown ranker",
    withSearch({ ranking_options: { ranker: "best" } }),
    ...unsupported("tools[0].file_search.ranking_options.ranker", "best", "'auto' and 'default_2024_08_21'"),
  ],
  ["a negative temperature", { model: "m", temperature: -1 }, ...bound("temperature", "decimal", "below", 0, -1)],
  ["a temperature of 2.5", { model: "m", temperature: 2.5 }, ...bound("temperature", "decimal", "above", 2, 2.5)],
  ["a temperature in quotes", { model: "m", temperature: "1" }, ...wrongType("temperature", "a decimal", "a string")],
  ["a top_p of 2", { model: "m", top_p: 2 }, ...bound("top_p", "decimal", "above", 1, 2)],
  ["a top_p below 0", { model: "m", top_p: -0.1 }, ...bound("top_p", "decimal", "below", 0, -0.1)],
  [
    "an unknown kind of response format",
    { model: "m", response_format: { type: "xml" } },
    ...unsupported("response_format.type", "xml", "'text', 'json_object', and 'json_schema'"),
  ],
  ["a response format without a type", { model: "m", response_format: {} }, ...missing("response_format.type")],
  [
    "a response format that is a number",
    { model: "m", response_format: 5 },
    ...wrongType("response_format", "one of a string or an object", "an integer"),
  ],
  [
    "a schema without a name",
    { model: "m", response_format: { type: "json_schema", json_schema: {} } },
    ...missing("response_format.json_schema.name"),
  ],
  [
    "a schema's name with a blank",
    { model: "m", response_format: { type: "json_schema", json_schema: { name: "a b" } } },
    ...wrongPattern("response_format.json_schema.name"),
  ],
  [
    "21 files for the code interpreter",
    { model: "m", tool_resources: { code_interpreter: { file_ids: many(21, "file-1") } } },
    ...arrayTooLong("tool_resources.code_interpreter.file_ids", 20, 21),
  ],
  [
    "two vector stores",
    { model: "m", tool_resources: { file_search: { vector_store_ids: ["vs_1", "vs_2"] } } },
    ...arrayTooLong("tool_resources.file_search.vector_store_ids", 1, 2),
  ],
  ["an unknown tool resource", { model: "m", tool_resources: { web: {} } }, ...unknownParameter("tool_resources.web")],
  ["file_ids of the first version", { model: "m", file_ids: [] }, ...unknownParameter("file_ids")],
]);

refuses("modifying an assistant", modifyAssistantRequest, [
  ["a model that is null", { model: null }, ...wrongType("model", "a string", "null")],
  ["instructions of 256,001 characters", { instructions: long(256_001) }, ...tooLong("instructions", 256_000, 256_001)],
  ["an unknown parameter", { vector_stores: [] }, ...unknownParameter("vector_stores")],
]);
