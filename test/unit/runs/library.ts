/** A place to search files in that does what a test says: its passages, its trouble, its pace. */
import {
  type FoundPassage,
  fileSearch,
  type SearchSources,
  type StoreQuery,
  type StoreState,
} from "../../../src/runs/tools/file-search.ts";

export const STORE = "vs_library";

export class Library {
  /** by vector store, in any order */
  passages: Record<string, FoundPassage[]> = { [STORE]: [passage("tacos.txt", "Summanus likes tacos.", 0.9)] };
  states: Record<string, StoreState | undefined> = { [STORE]: { isExpired: false, inProgress: 0 } };
  /** what the next searches throw, one after the other */
  troubles: unknown[] = [];
  /** what each search waits for */
  gate: Promise<void> = Promise.resolve();
  readonly searched: StoreQuery[] = [];
  readonly embedded: string[][] = [];
  looks = 0;

  readonly sources: SearchSources = {
    embed: async (texts) => {
      this.embedded.push(texts);
      return texts.map(() => [1]);
    },
    search: async (query) => {
      this.searched.push(query);
      await Promise.race([this.gate, aborted(query.signal)]);
      const trouble = this.troubles.shift();
      if (trouble !== undefined) throw trouble;
      return this.passages[query.vectorStore] ?? [];
    },
    use: async (_tenant, store) => {
      this.looks += 1;
      return this.states[store];
    },
  };

  readonly tool = fileSearch(this.sources);
}

export const passage = (filename: string, text: string, score: number): FoundPassage => ({
  fileId: `file-${filename.replace(/\W/g, "")}`,
  filename,
  score,
  attributes: {},
  text,
});

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
