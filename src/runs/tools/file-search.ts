/**
 * file_search: the model searches the vector stores of its run's assistant and thread, and cites what it finds
 * (docs/contract.md, "file_search in runs").
 */
import type { FileSearchTool } from "../../resources/common.ts";
import type { RunError } from "../../resources/run.ts";
import type { FileSearchResult, FileSearchToolCall, HostedToolCall } from "../../resources/step.ts";
import type { RunDoc, ThreadDoc } from "../../store/documents.ts";
import { fileCitations } from "../citations.ts";
import { isGpt35, queriesOf, rendered, UNREADABLE } from "./file-search-text.ts";
import type { AskedCall, HostedResults, HostedTool, HostedUse, PastCall, Readiness } from "./hosted-tool.ts";
import { type Budget, within } from "./result-budget.ts";

/** A passage that was found in a vector store; `score` from 0 to 1. */
export interface FoundPassage {
  fileId: string;
  filename: string;
  score: number;
  attributes: FileSearchResult["attributes"];
  text: string;
}

export interface StoreQuery {
  tenant: string;
  vectorStore: string;
  queries: { text: string; vector: number[] }[];
  maxNumResults: number;
  ranking: Ranking;
  signal: AbortSignal;
}

export type Ranking = FileSearchToolCall["file_search"]["ranking_options"];

/** What a run needs to know of a vector store. */
export interface StoreState {
  isExpired: boolean;
  /** files that are not read yet */
  inProgress: number;
}

/** Where the tool searches. All of them throw `StoreTrouble` or `ToolTrouble` for what may pass. */
export interface SearchSources {
  /** Vectors of these texts, in their order. */
  embed(texts: string[], signal: AbortSignal): Promise<number[][]>;
  /** The best passages of one vector store, the best first. */
  search(query: StoreQuery): Promise<FoundPassage[]>;
  /** A vector store that a run is about to use; undefined if there is none of this id. */
  use(tenant: string, vectorStore: string): Promise<StoreState | undefined>;
}

/** How long a run waits for files of its thread before its first model call. Milliseconds. */
const LONGEST_WAIT = 60_000;

/** Unless the tool says otherwise. */
const MAX_RESULTS = 20;
const MAX_RESULTS_GPT35 = 5;

/** Searches of one thread are numbered 4, 8, 12: markers name these numbers. */
const NUMBERS_APART = 4;

const DESCRIPTION =
  "Searches the files of this conversation and of its assistant. Give one to five queries: each a question or key " +
  "words that stand by themselves. Several queries at once find more than one after the other. The results come with " +
  "markers to cite them by.";

const PARAMETERS = {
  type: "object",
  properties: {
    queries: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 5, description: "What to search for" },
  },
  required: ["queries"],
  additionalProperties: false,
};

export function fileSearch(sources: SearchSources): HostedTool {
  return {
    type: "file_search",
    names: ["file_search", "file_search_files"],
    isReplayed: false,
    hasEffects: false,
    offered: () => ({ description: DESCRIPTION, parameters: PARAMETERS }),
    opened: (run, id) => searchCall(run, id, []),
    output: (call, record) => record.output ?? rendered(resultsOf(call), record.n ?? NUMBERS_APART),
    markers: (calls) => (calls.length === 0 ? [] : [fileCitations((search, index) => fileOf(calls, search, index))]),
    readiness: (use, now) => readiness(sources, use, now),
    run: (use, calls, signal) => search(sources, use, calls, signal),
  };
}

const resultsOf = (call: HostedToolCall): FileSearchResult[] =>
  call.type === "file_search" ? call.file_search.results : [];

function fileOf(calls: PastCall[], search: number, index: number): string | undefined {
  const past = calls.find(({ record }) => record.n === search);
  return past && resultsOf(past.call)[index]?.file_id;
}

function searchCall(run: RunDoc, id: string, results: FileSearchResult[]): FileSearchToolCall {
  return { id, type: "file_search", file_search: { ranking_options: rankingOf(run), results } };
}

const toolOf = (run: RunDoc): FileSearchTool["file_search"] | undefined =>
  run.tools.find((tool) => tool.type === "file_search")?.file_search;

/** As a step shows it: the only ranker there is, by its name. */
function rankingOf(run: RunDoc): Ranking {
  const { score_threshold = 0 } = toolOf(run)?.ranking_options ?? {};
  return { ranker: "default_2024_08_21", score_threshold };
}

const ofThread = (thread: ThreadDoc): string[] => thread.tool_resources.file_search?.vector_store_ids ?? [];

/** The assistant's are those at the time of the run's creation, the thread's those of now. */
const storesOf = (run: RunDoc, thread: ThreadDoc): string[] => [
  ...new Set([...(run.internal.vector_stores ?? []), ...ofThread(thread)]),
];

async function readiness(sources: SearchSources, { run, thread }: HostedUse, now: number): Promise<Readiness> {
  const stores = storesOf(run, thread);
  const states = await Promise.all(stores.map((id) => sources.use(run.internal.tenant, id)));
  const unusable = states.findIndex((state) => state === undefined || state.isExpired);
  if (unusable >= 0) return { error: unusableStore(stores[unusable] ?? "", states[unusable] !== undefined) };
  const waits = run.internal.turns === 0 && now < (run.started_at ?? 0) * 1000 + LONGEST_WAIT;
  const inProgress = stores.filter((_, index) => (states[index]?.inProgress ?? 0) > 0);
  return waits && ofThread(thread).some((id) => inProgress.includes(id)) ? "wait" : "ready";
}

const unusableStore = (id: string, isExpired: boolean): RunError => ({
  code: "server_error",
  message: isExpired ? `Vector store '${id}' has expired.` : `No vector store found with id '${id}'.`,
});

/** All queries are embedded in one call; all stores are searched at the same time. */
async function search(
  sources: SearchSources,
  { run, thread, room }: HostedUse,
  calls: AskedCall[],
  signal: AbortSignal,
): Promise<HostedResults> {
  const stores = storesOf(run, thread);
  const asked = calls.map((call) => queriesOf(call.arguments));
  const texts = [...new Set(asked.flatMap((queries) => queries ?? []))];
  const vectors = stores.length > 0 && texts.length > 0 ? await sources.embed(texts, signal) : [];
  const vectorOf = new Map(texts.map((text, index) => [text, vectors[index] ?? []]));
  const found = await Promise.all(
    asked.map(async (queries) => {
      if (queries === undefined) return [];
      const each = queries.map((text) => ({ text, vector: vectorOf.get(text) ?? [] }));
      return searchAll(sources, run, stores, each, signal);
    }),
  );
  const before = thread.internal.searches ?? 0;
  const budget: Budget = { tokens: Math.min(room, isGpt35(run.model) ? 4_000 : 16_000), bytes: MAX_RESULT_BYTES };
  const done: HostedResults["done"] = [];
  for (const [index, { id }] of calls.entries()) {
    const results = await within(found[index] ?? [], budget);
    const n = NUMBERS_APART * (before + index + 1);
    const record = asked[index] === undefined ? { n, output: UNREADABLE } : { n };
    done.push({ call: searchCall(run, id, results.map(resultOf)), record });
  }
  return { done, thread: { searches: before + calls.length } };
}

/**
 * Results of one model call: the batch that pauses its run holds them beside all that the model may have said. Bytes of
 * JSON.
 */
export const MAX_RESULT_BYTES = 200_000;

async function searchAll(
  sources: SearchSources,
  run: RunDoc,
  stores: string[],
  queries: StoreQuery["queries"],
  signal: AbortSignal,
): Promise<FoundPassage[]> {
  const maxNumResults = toolOf(run)?.max_num_results ?? (isGpt35(run.model) ? MAX_RESULTS_GPT35 : MAX_RESULTS);
  const { tenant } = run.internal;
  const ranking = rankingOf(run);
  const found = await Promise.all(
    stores.map((vectorStore) => sources.search({ tenant, vectorStore, queries, maxNumResults, ranking, signal })),
  );
  return found
    .flat()
    .sort((a, b) => b.score - a.score)
    .slice(0, maxNumResults);
}

const resultOf = ({ fileId, filename, score, attributes, text }: FoundPassage): FileSearchResult => ({
  file_id: fileId,
  file_name: filename,
  score,
  attributes,
  content: [{ type: "text", text }],
});
