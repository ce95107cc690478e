/**
 * Token counts, by the tokenizer of the current OpenAI models; for other models they are an estimate. A message is
 * counted once, when it is written, so that building a context never reads the texts again.
 */
import type { MessageContent } from "../resources/message.ts";

/** Tokens that a chat message costs beside its text (role and separators). */
const PER_MESSAGE = 4;
/** What an image costs at the least; the real price depends on its size, which we do not fetch. */
const PER_IMAGE = 85;

/**
 * The tokenizer's time grows with the square of a word's length: cut words (say base64) and white space longer than this.
 * The count is then a few tokens too high.
 */
const LONGEST_WORD = 400;

/** What looks like a control token in somebody's text is text. */
const PLAIN = { disallowedSpecial: new Set<string>() };

type Count = (text: string) => number;
let tokenizer: Promise<Count> | undefined;

/** Loads on first use: it takes a quarter of a second, which no request that counts nothing should pay. */
function load(): Promise<Count> {
  tokenizer ??= import("gpt-tokenizer/encoding/o200k_base").then(
    ({ countTokens }) =>
      (text) =>
        countTokens(text, PLAIN),
  );
  return tokenizer;
}

export async function countTokens(text: string): Promise<number> {
  if (text === "") return 0;
  const count = await load();
  const pieces = text.match(PIECE) ?? [];
  return pieces.reduce((sum, piece) => sum + count(piece), 0);
}

/** Runs of text in which no word and no white space is too long, and pieces of those that are. */
const PIECE = new RegExp(
  `(?:\\s{0,${LONGEST_WORD}}\\S{1,${LONGEST_WORD}}(?=\\s|$))+|\\S{1,${LONGEST_WORD}}|\\s{1,${LONGEST_WORD}}`,
  "g",
);

export async function countMessageTokens(content: MessageContent[]): Promise<number> {
  let sum = PER_MESSAGE;
  for (const part of content) sum += part.type === "text" ? await countTokens(part.text.value) : PER_IMAGE;
  return sum;
}
