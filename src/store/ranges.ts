/** Ranges of `internal.sort` for the API's lists. */
import type { Range } from "./lists.ts";

/** Behind every `seq`: its characters end at "z". */
export const LAST_SEQ = "~";

/** All objects whose sort begins with what `sort` puts before a seq. */
export const wholeRange = (sort: (seq: string) => string): Range => ({ above: sort(""), below: sort(LAST_SEQ) });

/** The steps of every run of a thread. */
export const ALL_STEPS: Range = { above: "step/", below: `step/${LAST_SEQ}` };
