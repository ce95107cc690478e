import type { Container } from "./container.ts";
import { type Continuation, decodeContinuation, encodeContinuation, fingerprint } from "./continuation.ts";
import { badRequest } from "./errors.ts";
import type { Item } from "./item.ts";
import { type PreparedQuery, prepare, rowOf } from "./prepared-query.ts";
import type { Page, QueryPage, QueryRequest } from "./query-page.ts";
import type { Access } from "./query-plan.ts";
import { ranked, statisticsPage } from "./ranked.ts";
import { accessFor, scopeOf, type Ways, walk } from "./scan.ts";
import type { Row, Searchable } from "./sql/row.ts";
import type { CompiledSelect, Result } from "./sql/select.ts";
import { canonical, type Value } from "./sql/values.ts";

/** The service cuts a page at 4 MB. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** Answers one page of a query. Throws 400 for what is wrong or not supported. */
export function runQuery(container: Container, request: QueryRequest): QueryPage {
  const query = prepare(request.text);
  if (query.statistics) return statisticsPage(container, query.statistics, request);
  checkOrder(container, query);
  const scope = scopeOf(container, query, request);
  const access = scope.empty ? undefined : accessFor(container, query, scope, request.parameters);
  // The index is part of the name: a token of before a change of the indexing policy must not be read with another one.
  const order = JSON.stringify(access?.index.fields ?? []);
  // The SDK goes on in a range with another filter in place of the one before: there the order alone has to be the
  // same.
  const text = request.ranged && query.streams ? "" : request.text;
  const name = fingerprint(text, query.streams ? order : "");
  const after = request.continuation === undefined ? undefined : decodeContinuation(request.continuation, name);
  const ways = { access, scope, after };
  const searchable = container.searching;
  const page = query.ranking
    ? ranked(container, query, request, ways)
    : query.streams
      ? streamed(query, request, ways, searchable)
      : gathered(query, request, ways, searchable);
  const continuation = page.next && encodeContinuation(page.next, name);
  return { documents: page.documents, bytes: page.bytes, examined: page.examined, continuation, listed: query.listed };
}

/** As in the service: only an indexed path can be sorted by, and two or more only with a composite index. */
function checkOrder({ indexing }: Container, { order }: PreparedQuery): void {
  if (order.length > 1 && !indexing.servesOrder(order)) {
    throw badRequest(
      "The order by query does not have a corresponding composite index that it can be served from.",
      2104,
    );
  }
  const [only, second] = order;
  if (only && !second && !indexing.covers(only.path)) {
    throw badRequest("The index path corresponding to the specified order-by item is excluded.", 2104);
  }
}

/** Item by item, as far as the page goes. */
function streamed({ compiled }: PreparedQuery, request: QueryRequest, ways: Ways, searchable: Searchable): Page {
  const { parameters, pageSize } = request;
  const { after, access } = ways;
  const window = compiled.window(parameters);
  const page: Page = { documents: [], bytes: 0, examined: 0, next: undefined };
  let toSkip = after ? 0 : window.skip;
  let taken = after?.taken ?? 0;
  let examined = 0;
  let last: { item: Item; rows: number } | undefined;
  for (const item of walk(ways)) {
    if (taken >= window.take) break;
    examined++;
    const rows = compiled.expand(rowOf(item.body, parameters, searchable));
    const done = after && after.rows > 0 && item.sequence === after.tie ? after.rows : 0;
    for (let row = done; row < rows.length && taken < window.take; row++) {
      if (toSkip > 0) {
        toSkip--;
        continue;
      }
      if (last && isFull(page, pageSize)) {
        page.next = resumeAfter(last, access, taken);
        return page;
      }
      // What the page cost: a look ahead for whether there is more is not charged.
      page.examined = examined;
      last = { item, rows: row + 1 === rows.length ? 0 : row + 1 };
      if (addDocument(page, compiled.project(rows[row] ?? rowOf(item.body, parameters, searchable)), item)) taken++;
    }
  }
  page.examined = isFull(page, pageSize) ? page.examined : examined;
  return page;
}

const isFull = (page: Page, pageSize: number) => page.documents.length >= pageSize || page.bytes >= MAX_PAGE_BYTES;

function resumeAfter(last: { item: Item; rows: number }, access: Access | undefined, taken: number): Continuation {
  const position = access?.index.positionOf(last.item);
  return { values: position?.values ?? [], tie: last.item.sequence, rows: last.rows, taken };
}

function addDocument(page: Page, value: Value, item?: Item): boolean {
  if (value === undefined) return false;
  const document = item && value === item.body ? item.json : JSON.stringify(value);
  page.documents.push(document);
  page.bytes += document.length;
  return true;
}

/** Everything first, then the page: aggregates, GROUP BY and DISTINCT. */
function gathered({ compiled }: PreparedQuery, request: QueryRequest, ways: Ways, searchable: Searchable): Page {
  const { parameters, pageSize } = request;
  const window = compiled.window(parameters);
  const page: Page = { documents: [], bytes: 0, examined: 0, next: undefined };
  const rows: Row[] = [];
  if (compiled.rootSlot === undefined) rows.push(...compiled.expand({ slots: [], parameters }));
  else {
    for (const item of walk({ ...ways, after: undefined })) {
      page.examined++;
      for (const row of compiled.expand(rowOf(item.body, parameters, searchable))) rows.push(row);
    }
  }
  if (request.partial && compiled.hasSummableParts) return partOfAggregate(compiled, rows, request, ways, page);
  const results = compiled.results(rows, parameters).map((result) => ({ ...result, key: canonical(result.value) }));
  // By value where the query asks for no order, so that a next page has a place to go on from.
  const compare = (a: KeyedResult, b: KeyedResult) =>
    compiled.compareOrder(a.order, b.order) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  results.sort(compare);
  const { after } = ways;
  const mark = after && { value: null, order: after.values, key: String(after.tie) };
  const rest = mark ? results.filter((result) => compare(result, mark) > 0) : results.slice(window.skip);
  let taken = after?.taken ?? 0;
  let last: KeyedResult | undefined;
  for (const result of rest) {
    if (taken >= window.take) break;
    if (last && isFull(page, pageSize)) {
      page.next = { values: last.order, tie: last.key, rows: 0, taken };
      break;
    }
    addDocument(page, result.value);
    taken++;
    last = result;
  }
  return page;
}

interface KeyedResult extends Result {
  key: string;
}

/** The aggregate of the first half of the rows, then that of the rest. */
function partOfAggregate(
  compiled: CompiledSelect,
  rows: Row[],
  { parameters }: QueryRequest,
  { after }: Ways,
  page: Page,
): Page {
  const half = after?.rows ?? Math.floor(rows.length / 2);
  const part = after ? rows.slice(half) : rows.slice(0, half);
  for (const { value } of compiled.results(part, parameters)) addDocument(page, value);
  if (!after) page.next = { values: [], tie: "", rows: half, taken: 0 };
  return page;
}
