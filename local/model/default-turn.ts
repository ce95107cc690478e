import type { ChatCompletionFunctionTool, ChatCompletionToolMessageParam } from "openai/resources/chat/completions";
import { type ChatMessage, type ChatRequest, forcedFunction, functionTools, imagesOf, textOf } from "./chat-request.ts";
import { codeFor, isAboutCode, isPython, linksIn } from "./code.ts";
import { exampleValue, type Schema } from "./example-value.ts";
import { findingIn, isAboutFiles, isSearch } from "./file-search.ts";
import type { Turn } from "./turn.ts";

const LONGEST_QUOTE = 400;

/**
 * What the model does when no script says otherwise: it calls a function that the user names or the tool choice forces,
 * searches files that the user asks about, writes code where it is to calculate or to draw, says what the functions
 * returned, and otherwise answers in a way that shows which message it read.
 */
export function defaultTurn(request: ChatRequest): Turn {
  const called = functionsToCall(request);
  if (called.length > 0) return { toolCalls: called.map((tool) => callOf(tool, request)) };
  if (request.response_format?.type === "json_schema") {
    return { text: JSON.stringify(exampleValue((request.response_format.json_schema.schema ?? {}) as Schema)) };
  }
  const answer = answerText(request);
  if (request.response_format?.type === "json_object") return { text: JSON.stringify({ simulated: true, answer }) };
  return { text: answer };
}

function functionsToCall(request: ChatRequest): ChatCompletionFunctionTool[] {
  const tools = functionTools(request);
  if (tools.length === 0 || request.tool_choice === "none") return [];
  const forced = forcedFunction(request);
  if (forced !== undefined) return tools.filter((tool) => tool.function.name === forced).slice(0, 1);
  const named = toolsNamedBy(lastUserMessage(request.messages), tools);
  const required = request.tool_choice === "required";
  // Once its tools have answered, the model talks; only "required" makes it call again, as with the real API.
  if (!required && latestToolMessages(request.messages).length > 0) return [];
  const called = named.length === 0 && required ? tools.slice(0, 1) : named;
  return request.parallel_tool_calls === false ? called.slice(0, 1) : called;
}

function toolsNamedBy(message: ChatMessage | undefined, tools: ChatCompletionFunctionTool[]) {
  const text = message ? textOf(message) : "";
  const words = new Set(text.match(/[A-Za-z0-9_-]+/g));
  return tools.filter((tool) => words.has(tool.function.name) || isMeant(tool, text));
}

const isMeant = (tool: ChatCompletionFunctionTool, text: string) =>
  (isSearch(tool) && isAboutFiles(text)) || (isPython(tool) && isAboutCode(text));

function callOf(tool: ChatCompletionFunctionTool, { messages }: ChatRequest) {
  if (isSearch(tool)) {
    const message = lastUserMessage(messages);
    return { name: tool.function.name, arguments: { queries: [message ? quoteOf(textOf(message)) : "anything"] } };
  }
  if (
    isPython(tool) &&
    tool.function.parameters?.properties instanceof Object &&
    "code" in tool.function.parameters.properties
  ) {
    const message = lastUserMessage(messages);
    const code = codeFor(message ? textOf(message) : "", tool.function.description ?? "");
    return { name: tool.function.name, arguments: { code }, pieces: linesOf(JSON.stringify({ code })) };
  }
  const schema = (tool.function.parameters ?? { type: "object" }) as Schema;
  return { name: tool.function.name, arguments: JSON.stringify(exampleValue(schema) ?? {}) };
}

/** Of code within JSON: word by word it would take many seconds at the pace of an answer that is to be seen. */
const linesOf = (json: string): string[] => json.match(/.*?\\n|.+/g) ?? [];

function answerText(request: ChatRequest): string {
  const results = latestToolMessages(request.messages);
  if (results.length > 0) return toolResultsText(request.messages, results);
  const message = lastUserMessage(request.messages);
  if (!message) return "This is a simulated model: it sees no message from a user yet.";
  const number = request.messages.filter((each) => each.role === "user").length;
  const images = imagesOf(message);
  const withImages = images === 0 ? "" : images === 1 ? " with 1 image" : ` with ${images} images`;
  return `This is a simulated model. It read your message number ${number}${withImages}: "${quoteOf(textOf(message))}"`;
}

function toolResultsText(messages: ChatMessage[], results: ChatCompletionToolMessageParam[]): string {
  const names = new Map(
    messages.flatMap((message) =>
      message.role === "assistant"
        ? (message.tool_calls ?? []).map((call) => [call.id, call.type === "function" ? call.function.name : call.type])
        : [],
    ) as [string, string][],
  );
  const message = lastUserMessage(messages);
  const question = message ? textOf(message) : "";
  const lines = results.map((result) => {
    const finding = findingIn(textOf(result), question);
    if (finding !== undefined) return `It has found in the files: ${finding}`;
    const links = linksIn(textOf(result));
    if (links !== undefined) return `It has run code, which has written ${links}.`;
    return `${names.get(result.tool_call_id) ?? result.tool_call_id} returned: ${quoteOf(textOf(result))}`;
  });
  return `This is a simulated model. ${lines.join("\n")}`;
}

function lastUserMessage(messages: ChatMessage[]): ChatMessage | undefined {
  return messages.findLast((message) => message.role === "user");
}

/** The tool messages after the last message of a user. */
function latestToolMessages(messages: ChatMessage[]): ChatCompletionToolMessageParam[] {
  const lastUser = messages.findLastIndex((message) => message.role === "user");
  return messages.slice(lastUser + 1).filter((message) => message.role === "tool");
}

function quoteOf(text: string): string {
  return text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE)} …`;
}
