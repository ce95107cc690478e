/** How the simulated model searches files: when it is asked about them, and it cites the first result. */
import type { ChatCompletionFunctionTool } from "openai/resources/chat/completions";
import { wordsOf } from "../text/words.ts";

/** The function of a server that searches files for its models. */
export const isSearch = ({ function: { name } }: ChatCompletionFunctionTool): boolean =>
  name === "file_search" || name === "file_search_files";

export const isAboutFiles = (text: string): boolean =>
  /\b(files?|documents?|attached|attachments?|uploaded|pdfs?|manuals?)\b/i.test(text);

/** A marker in a line of its own, and the text below it. */
const RESULT = /^(【\d+:\d+†[^【】\n]*】)\n([^【]*)/m;

const LONGEST_SENTENCE = 400;

/**
 * The sentence of the first result that has most words of the question, or its first line if none has any, with the
 * result's marker before the full stop; undefined if there are no results.
 */
export function findingIn(output: string, question: string): string | undefined {
  const [, marker, text = ""] = RESULT.exec(output) ?? [];
  if (marker === undefined) return undefined;
  const [first = ""] = text.trim().split(/(?<=[.!?])\s|\n/);
  const sentence = bestOf(text.trim().split(/(?<=[.!?])\s+/), question) ?? first;
  const words = sentence
    .replace(/\s+/g, " ")
    .slice(0, LONGEST_SENTENCE)
    .replace(/[.!?]$/, "");
  return `${words}${marker}.`;
}

/** Undefined if no sentence has a word of the question. */
function bestOf(sentences: string[], question: string): string | undefined {
  const asked = new Set(wordsOf(question));
  let best: string | undefined;
  let most = 0;
  for (const sentence of sentences) {
    const common = new Set(wordsOf(sentence).filter((word) => asked.has(word))).size;
    if (common > most) [best, most] = [sentence, common];
  }
  return best;
}
