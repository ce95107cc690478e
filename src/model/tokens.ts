/**
 * Token counts, by the tokenizer of the current OpenAI models; for other models they are an estimate. A message is
 * counted once, when it is written, so that building a context never reads the texts again.
 */
import type { MessageContent } from "../resources/message.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Tokens that a chat message costs beside its text (role and separators). */
const PER_MESSAGE = 4;
/** What an image costs at the least; the real price depends on its size, which we do not fetch. */
const PER_IMAGE = 85;

let tokenizer: Promise<Tokenizer> | undefined;

/** Loads on first use: no request that counts nothing should pay for it. */
function load(): Promise<Tokenizer> {
  tokenizer ??= import("./tokenizer.ts").then((module) => new module.Tokenizer());
  return tokenizer;
}

/** Never holds up the process: another thread counts, long texts in turns (tokenizer.ts). */
export async function countTokens(text: string): Promise<number> {
  if (text === "") return 0;
  return (await load()).count(text);
}

/** One part after the other: a request has one text waiting at a time, so that requests take turns. */
export async function countMessageTokens(content: MessageContent[]): Promise<number> {
  let sum = PER_MESSAGE;
  for (const part of content) sum += part.type === "text" ? await countTokens(part.text.value) : PER_IMAGE;
  return sum;
}
