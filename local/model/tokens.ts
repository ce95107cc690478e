import { type ChatRequest, textOf } from "./chat-request.ts";

/**
 * Tokens are counted, not tokenized: four characters are one token, rounded up for each text, which is near the
 * average of English text. A message adds four for its frame, an image 85 (the price of a low-detail one), and the
 * tools count as the JSON that they are.
 */
const CHARACTERS_PER_TOKEN = 4;
const TOKENS_PER_MESSAGE = 4;
const TOKENS_PER_IMAGE = 85;

export function countTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** The number of characters that fit into this number of tokens. */
export function charactersIn(tokens: number): number {
  return tokens * CHARACTERS_PER_TOKEN;
}

export function countPromptTokens(request: ChatRequest): number {
  let tokens = request.tools ? countTokens(JSON.stringify(request.tools)) : 0;
  for (const message of request.messages) {
    tokens += TOKENS_PER_MESSAGE + countTokens(textOf(message));
    if (Array.isArray(message.content)) {
      tokens += TOKENS_PER_IMAGE * message.content.filter((part) => part.type === "image_url").length;
    }
    if (message.role === "assistant" && message.tool_calls) tokens += countTokens(JSON.stringify(message.tool_calls));
  }
  return tokens;
}
