import { pageQuery } from "../../../src/api/paging.ts";
import { createMessageRequest } from "../../../src/resources/message.ts";
import { createRunRequest, createThreadAndRunRequest, submitToolOutputsRequest } from "../../../src/resources/run.ts";
import { createThreadRequest } from "../../../src/resources/thread.ts";
import {
  bound,
  emptyString,
  long,
  missing,
  refuses,
  tooLong,
  unknownParameter,
  unsupported,
  wrongType,
} from "./refusals.ts";

const says = (content: unknown) => ({ role: "user", content });

refuses("creating a message", createMessageRequest, [
  ["no role", { content: "Hi" }, ...missing("role")],
  ["a role that is null", { role: null, content: "Hi" }, ...wrongType("role", "a string", "null")],
  ["no content", { role: "user" }, ...missing("content")],
  ["an empty text", says(""), ...emptyString("content")],
  [
    "no parts",
    says([]),
    "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    "content",
    "empty_array",
  ],
  ["content that is null", says(null), ...wrongType("content", "one of a string or an array", "null")],
  ["content that is an object", says({}), ...wrongType("content", "one of a string or an array", "an object")],
  ["a part that is a string", says(["Hi"]), ...wrongType("content[0]", "an object", "a string")],
  ["a text part without its text", says([{ type: "text" }]), ...missing("content[0].text")],
  [
    "a text part in the form of an answer",
    says([{ type: "text", text: { value: "Hi", annotations: [] } }]),
    ...wrongType("content[0].text", "a string", "an object"),
  ],
  [
    "a long text in the second part",
    says([
      { type: "text", text: "a" },
      { type: "text", text: long(256_001) },
    ]),
    ...tooLong("content[1].text", 256_000, 256_001),
  ],
  [
    "an unknown kind of part",
    says([{ type: "video" }]),
    ...unsupported("content[0].type", "video", "'text', 'image_url', and 'image_file'"),
  ],
  [
    "an image without its address",
    says([{ type: "image_url", image_url: {} }]),
    ...missing("content[0].image_url.url"),
  ],
  [
    "an unknown detail of an image",
    says([{ type: "image_url", image_url: { url: "http://x/y.png", detail: "max" } }]),
    ...unsupported("content[0].image_url.detail", "max", "'auto', 'low', and 'high'"),
  ],
  [
    "an image file without its id",
    says([{ type: "image_file", image_file: {} }]),
    ...missing("content[0].image_file.file_id"),
  ],
  ["an attachment without a file", { ...says("Hi"), attachments: [{}] }, ...missing("attachments[0].file_id")],
  [
    "an attachment for a function",
    { ...says("Hi"), attachments: [{ file_id: "file-1", tools: [{ type: "function" }] }] },
    ...unsupported("attachments[0].tools[0].type", "function", "'code_interpreter' and 'file_search'"),
  ],
  ["file_ids of the first version", { ...says("Hi"), file_ids: [] }, ...unknownParameter("file_ids")],
]);

refuses("creating a thread", createThreadRequest, [
  ["messages that are not an array", { messages: {} }, ...wrongType("messages", "an array", "an object")],
  [
    "a bad role, naming the message",
    { messages: [says("Hi"), { role: "system", content: "Hi" }] },
    ...unsupported("messages[1].role", "system", "'user' and 'assistant'"),
  ],
]);

const runWith = (changes: object) => ({ assistant_id: "asst_1", ...changes });

refuses("creating a run", createRunRequest, [
  ["an assistant's id that is null", { assistant_id: null }, ...wrongType("assistant_id", "a string", "null")],
  [
    "an assistant's id with a blank",
    { assistant_id: "asst_a b" },
    "Invalid 'assistant_id': 'asst_a b'. Expected an ID that contains letters, numbers, underscores, or dashes, but this value contained additional characters.",
    "assistant_id",
    "invalid_value",
  ],
  ["the thread's id in the body", runWith({ thread_id: "thread_1" }), ...unknownParameter("thread_id")],
  ["stream as a string", runWith({ stream: "true" }), ...wrongType("stream", "a boolean", "a string")],
  ["no prompt tokens", runWith({ max_prompt_tokens: 0 }), ...bound("max_prompt_tokens", "integer", "below", 1, 0)],
  [
    "less than no completion tokens",
    runWith({ max_completion_tokens: -5 }),
    ...bound("max_completion_tokens", "integer", "below", 1, -5),
  ],
  ["half a token", runWith({ max_prompt_tokens: 256.5 }), ...wrongType("max_prompt_tokens", "an integer", "a decimal")],
  [
    "an unknown truncation strategy",
    runWith({ truncation_strategy: { type: "first" } }),
    ...unsupported("truncation_strategy.type", "first", "'auto' and 'last_messages'"),
  ],
  [
    "the last 0 messages",
    runWith({ truncation_strategy: { type: "last_messages", last_messages: 0 } }),
    ...bound("truncation_strategy.last_messages", "integer", "below", 1, 0),
  ],
  [
    "an unknown tool choice",
    runWith({ tool_choice: "any" }),
    ...unsupported("tool_choice", "any", "'none', 'auto', and 'required'"),
  ],
  [
    "an unknown kind of tool choice",
    runWith({ tool_choice: { type: "tool" } }),
    ...unsupported("tool_choice.type", "tool", "'function', 'file_search', and 'code_interpreter'"),
  ],
  [
    "a forced function without a name",
    runWith({ tool_choice: { type: "function", function: {} } }),
    ...missing("tool_choice.function.name"),
  ],
  [
    "a tool choice that is an array",
    runWith({ tool_choice: ["auto"] }),
    ...wrongType("tool_choice", "one of a string or an object", "an array"),
  ],
  [
    "an empty additional message, naming it",
    runWith({ additional_messages: [says("Hi"), says("")] }),
    ...emptyString("additional_messages[1].content"),
  ],
]);

refuses("creating a thread and running it", createThreadAndRunRequest, [
  [
    "a message without content, naming it",
    runWith({ thread: { messages: [{ role: "user" }] } }),
    ...missing("thread.messages[0].content"),
  ],
  ["additional messages", runWith({ additional_messages: [] }), ...unknownParameter("additional_messages")],
  [
    "additional instructions",
    runWith({ additional_instructions: "x" }),
    ...unknownParameter("additional_instructions"),
  ],
]);

refuses("submitting tool outputs", submitToolOutputsRequest, [
  ["no outputs", {}, ...missing("tool_outputs")],
  ["an output without its call", { tool_outputs: [{ output: "1" }] }, ...missing("tool_outputs[0].tool_call_id")],
  [
    "an output that is not text",
    { tool_outputs: [{ tool_call_id: "call_1", output: { a: 1 } }] },
    ...wrongType("tool_outputs[0].output", "a string", "an object"),
  ],
]);

refuses("a list", pageQuery, [
  ["an unknown order", { order: "up" }, ...unsupported("order", "up", "'asc' and 'desc'")],
]);
