/** How the simulated model searches files: when it is asked about them, and it cites the first result. */
import type { ChatCompletionFunctionTool } from "openai/resources/chat/completions";

/** The function of a server that searches files for its models. */
export const isSearch = ({ function: { name } }: ChatCompletionFunctionTool): boolean =>
  name === "file_search" || name === "file_search_files";

export const isAboutFiles = (text: string): boolean =>
  /\b(files?|documents?|attached|attachments?|uploaded|pdfs?|manuals?)\b/i.test(text);

/** A marker in a line of its own, and the text below it. */
const RESULT = /^(【\d+:\d+†[^【】\n]*】)\n([^【]*)/m;

const LONGEST_SENTENCE = 400;

/** The first sentence of the first result, with its marker before the full stop; undefined if there are no results. */
export function findingIn(output: string): string | undefined {
  const [, marker, text = ""] = RESULT.exec(output) ?? [];
  if (marker === undefined) return undefined;
  const sentence = text.trim().split(/(?<=[.!?])\s|\n/)[0] ?? "";
  const words = sentence.slice(0, LONGEST_SENTENCE).replace(/[.!?]$/, "");
  return `${words}${marker}.`;
}
