import type {
  ChatCompletionCreateParams,
  ChatCompletionFunctionTool,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import { invalidRequest } from "./api-error.ts";

export type ChatRequest = ChatCompletionCreateParams;
export type ChatMessage = ChatCompletionMessageParam;

/**
 * Checks what the real API checks and a caller gets wrong most often: the messages, the pairing of tool calls with
 * tool messages, and the tool choice. In Azure's form the model is the deployment in the path.
 */
export function parseChatRequest(body: unknown, deployment?: string): ChatRequest {
  if (!isObject(body)) throw invalidRequest("The request's body must be a JSON object.");
  const model = deployment ?? body.model;
  if (typeof model !== "string" || model === "") throw invalidRequest("you must provide a model parameter");
  if (!Array.isArray(body.messages) || body.messages.length === 0) {
    throw invalidRequest("Invalid 'messages': empty array. Expected at least one message.", "messages");
  }
  if (body.n !== undefined && body.n !== null && body.n !== 1) {
    throw invalidRequest("The simulated model answers with one choice only: n must be 1.", "n");
  }
  const request = { ...body, model } as unknown as ChatRequest;
  checkMessages(request.messages);
  checkToolChoice(request);
  return request;
}

export function functionTools(request: ChatRequest): ChatCompletionFunctionTool[] {
  return (request.tools ?? []).filter((tool) => tool.type === "function");
}

/** The function that `tool_choice` forces by name, if it does. */
export function forcedFunction(request: ChatRequest): string | undefined {
  const choice = request.tool_choice;
  return typeof choice === "object" && choice?.type === "function" ? choice.function.name : undefined;
}

/** All the text of a message, its parts joined by lines. */
export function textOf(message: ChatMessage): string {
  const { content } = message;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.flatMap((part) => ("text" in part ? [part.text] : [])).join("\n");
}

export function imagesOf(message: ChatMessage): number {
  const { content } = message;
  return Array.isArray(content) ? content.filter((part) => part.type === "image_url").length : 0;
}

const ROLES = ["system", "developer", "user", "assistant", "tool", "function"];

function checkMessages(messages: ChatMessage[]): void {
  let unanswered = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const at = `messages.[${index}]`;
    if (!isObject(message)) throw invalidRequest(`Invalid type for '${at}': expected an object.`, at);
    if (!ROLES.includes(message.role)) {
      throw invalidRequest(`Invalid value: '${String(message.role)}'. Supported values are: ${quoted(ROLES)}.`, at);
    }
    if (message.role === "tool") {
      checkToolMessage(message.tool_call_id, unanswered, at);
      unanswered.delete(message.tool_call_id);
      continue;
    }
    checkAnswered(unanswered, at);
    unanswered = new Set(message.role === "assistant" ? (message.tool_calls ?? []).map((call) => call.id) : []);
  }
  checkAnswered(unanswered, "messages");
}

function checkToolMessage(callId: unknown, unanswered: Set<string>, at: string): void {
  if (typeof callId === "string" && unanswered.has(callId)) return;
  // The misspelling is the API's own.
  const message = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
  throw invalidRequest(`Invalid parameter: ${message}`, `${at}.role`);
}

function checkAnswered(unanswered: Set<string>, at: string): void {
  if (unanswered.size === 0) return;
  throw invalidRequest(
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
      `The following tool_call_ids did not have response messages: ${[...unanswered].join(", ")}`,
    at,
  );
}

function checkToolChoice(request: ChatRequest): void {
  const { tool_choice: choice } = request;
  if (choice === undefined || choice === null) return;
  const names = functionTools(request).map((tool) => tool.function.name);
  if (names.length === 0)
    throw invalidRequest("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice");
  const forced = forcedFunction(request);
  if (forced !== undefined && !names.includes(forced)) {
    throw invalidRequest(`Tool choice '${forced}' not found in 'tools' parameter.`, "tool_choice");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function quoted(words: string[]): string {
  return words.map((word) => `'${word}'`).join(", ");
}
