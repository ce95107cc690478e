/** Queries that are sorted by a score: every item gets one, the best are kept. */
import { searchedItems } from "./charge.ts";
import type { Container } from "./container.ts";
import { fingerprint } from "./continuation.ts";
import type { TextQuery } from "./hybrid-plan.ts";
import type { Item } from "./item.ts";
import { type PreparedQuery, rowOf } from "./prepared-query.ts";
import type { Page, QueryPage, QueryRequest } from "./query-page.ts";
import { givenValue } from "./query-plan.ts";
import { contains } from "./ranges.ts";
import { isHighestFirst } from "./ranking.ts";
import { type Ways, walk } from "./scan.ts";
import type { Row } from "./sql/row.ts";
import { textsOf } from "./sql/search.ts";
import type { Value } from "./sql/values.ts";

/** More results than these come on several pages, however large a page may be: see `dealt`. */
const LARGEST_SORTED = 10;

/** Results whose pages are still asked for, so that the next page is not searched again. */
const MOST_KEPT = 32;

interface Found {
  documents: string[];
  examined: number;
}

/** Of one state of a container: a write begins a new one. */
const kept = new WeakMap<Container, { lsn: number; found: Map<string, Found> }>();

export function ranked(container: Container, query: PreparedQuery, request: QueryRequest, ways: Ways): Page {
  const { text, parameters, key, interval, pageSize } = request;
  const name = fingerprint(text, JSON.stringify([[...parameters], key?.text, interval]));
  const { documents, examined } = keptOr(container, name, () => search(container, query, request, ways));
  const number = ways.after?.rows ?? 0;
  const pages = Math.max(Math.ceil(documents.length / pageSize), documents.length > LARGEST_SORTED ? 2 : 1);
  const page: Page = { documents: dealt(documents, number, pages), bytes: 0, examined: 0, next: undefined };
  for (const document of page.documents) page.bytes += document.length;
  if (number === 0) page.examined = searchedItems(examined);
  if (number + 1 < pages) page.next = { values: [], tie: "", rows: number + 1, taken: 0 };
  return page;
}

/**
 * The service's pages of such queries are not one sorted list ("it is no longer safe to treat single-partition ORDER BY as
 * pass-through", https://github.com/Azure/azure-cosmos-dotnet-v3/pull/5273): so each page is sorted here, and the best results
 * are spread over all of them.
 */
const dealt = (documents: string[], number: number, pages: number) =>
  documents.filter((_, index) => index % pages === number);

function keptOr(container: Container, name: string, search: () => Found): Found {
  let state = kept.get(container);
  if (state?.lsn !== container.lsn) {
    state = { lsn: container.lsn, found: new Map() };
    kept.set(container, state);
  }
  const { found } = state;
  const known = found.get(name);
  if (known) return known;
  const result = search();
  const [oldest] = found.keys();
  if (found.size >= MOST_KEPT && oldest !== undefined) found.delete(oldest);
  found.set(name, result);
  return result;
}

interface Scored {
  score: number;
}

interface Candidate extends Scored {
  row: Row;
  item: Item;
}

function search(container: Container, { compiled, ranking }: PreparedQuery, request: QueryRequest, ways: Ways): Found {
  const { skip, take } = compiled.window(request.parameters);
  const sign = ranking && isHighestFirst(ranking, container.searching) ? -1 : 1;
  const best = new Best<Candidate>(skip + take, (a, b) => sign * (a.score - b.score));
  let examined = 0;
  for (const item of walk({ ...ways, after: undefined })) {
    examined += 1;
    const itself = rowOf(item.body, request.parameters, container.searching);
    // Most items are too far away: then the conditions need not be looked at.
    if (compiled.hasRowForEachItem && !isWanted(best, compiled.orderOf(itself))) continue;
    for (const row of compiled.expand(itself)) {
      const score = compiled.orderOf(row);
      // An item without a vector or a text is in no index of them.
      if (typeof score === "number") best.add({ row, item, score });
    }
  }
  const documents = best.sorted().flatMap(({ row, item }) => {
    const value = compiled.project(row);
    return value === undefined ? [] : [value === item.body ? item.json : JSON.stringify(value)];
  });
  return { documents: documents.slice(skip), examined };
}

const isWanted = (best: Best<Candidate>, score: Value) => typeof score === "number" && best.wants({ score });

/** Keeps the first of all that are added, by their order; of equals those that came earlier. */
class Best<T extends Scored> {
  readonly #limit: number;
  readonly #compare: (a: Scored, b: Scored) => number;
  #all: T[] = [];
  /** what is not before this one is not among the best */
  #worst: T | undefined;

  constructor(limit: number, compare: (a: Scored, b: Scored) => number) {
    this.#limit = limit;
    this.#compare = compare;
  }

  wants(value: Scored): boolean {
    return this.#worst === undefined || this.#compare(value, this.#worst) < 0;
  }

  add(value: T): void {
    if (!this.wants(value)) return;
    this.#all.push(value);
    if (this.#all.length >= 2 * this.#limit + 100) {
      this.#all = this.sorted();
      this.#worst = this.#all.at(-1);
    }
  }

  sorted(): T[] {
    return this.#all.sort(this.#compare).slice(0, this.#limit);
  }
}

/** What a physical partition tells for the statistics of a plan: read from the full-text index. */
export function statisticsPage(container: Container, texts: TextQuery[], request: QueryRequest): QueryPage {
  const { interval, parameters } = request;
  const isWhole = interval === undefined || container.ranges.isWhole;
  const isInside = ({ partition }: Item) => isWhole || contains(interval, container.effectiveKey(partition));
  const found = texts.map(({ path, terms }) => {
    const values = textsOf(terms.map((term) => givenValue(term, parameters) ?? null));
    return container.searching.fullText(path).statistics(values, isWhole ? undefined : isInside);
  });
  const document = JSON.stringify({
    documentCount: found[0]?.documents ?? 0,
    fullTextStatistics: found.map(({ words, hits }) => ({ totalWordCount: words, hitCounts: hits })),
  });
  const listed = texts.reduce((sum, { terms }) => sum + terms.length, 0);
  return { documents: [document], bytes: document.length, examined: 0, continuation: undefined, listed };
}
