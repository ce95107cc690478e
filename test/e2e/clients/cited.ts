/**
 * What the stories of all libraries about files that are searched share: a file, and a model that looks into it and
 * cites it.
 */
import type { Turn } from "../../../local/model/turn.ts";

export const FOODS = "Favorite foods.\n\nSummanus: tacos\nTekakwitha: pizza\nFilip: cake";
export const FOODS_FILE = "foods.txt";
export const MARKER = `【4:0†${FOODS_FILE}】`;
export const ANSWER = `Filip likes cake${MARKER}.`;
export const QUESTION = "What does Filip like?";

export const SEARCHING: Turn[] = [
  { toolCalls: [{ name: "file_search", arguments: { queries: ["What does Filip like?"] } }] },
  { text: ANSWER },
];

/** Of the file: as the original counted a citation's place, by characters. */
export const citationOf = (fileId: string) => ({
  type: "file_citation",
  text: MARKER,
  start_index: ANSWER.indexOf(MARKER),
  end_index: ANSWER.indexOf(MARKER) + MARKER.length,
  file_citation: { file_id: fileId },
});
