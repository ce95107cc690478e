import type { Container } from "./container.ts";
import { badRequest, unsupported } from "./errors.ts";
import type { PartitionKey } from "./item.ts";
import { contains, type Interval } from "./ranges.ts";

export interface FeedRequest {
  mode: string;
  key: PartitionKey | undefined;
  /** Only items whose effective partition key is in it; all unless given. */
  interval: Interval | undefined;
  /** The etag of the last answer, `*` for "from now", absent for the beginning. */
  ifNoneMatch: string | undefined;
  ifModifiedSince: string | undefined;
  pageSize: number;
}

export interface FeedPage {
  documents: string[];
  bytes: number;
  etag: string;
}

/** The latest version of each item that changed after the given point, oldest change first; no items means 304. */
export function readChanges(container: Container, request: FeedRequest): FeedPage {
  const { key, interval, ifNoneMatch, pageSize } = request;
  if (request.mode.toLowerCase() !== "incremental feed") throw unsupported(`the change feed mode '${request.mode}'`);
  if (key && key.values.length !== container.partitionPaths.length) {
    throw unsupported("a change feed over the start of a hierarchical partition key");
  }
  const etag = (lsn: number) => `"${lsn}"`;
  const page: FeedPage = { documents: [], bytes: 0, etag: etag(container.lsn) };
  if (ifNoneMatch === "*") return page;
  const from = ifNoneMatch === undefined ? 0 : lsnOf(ifNoneMatch);
  const since = ifNoneMatch === undefined ? secondOf(request.ifModifiedSince) : 0;
  for (const item of container.changes.after(from)) {
    if (key && item.partition.text !== key.text) continue;
    if (interval && !contains(interval, container.effectiveKey(item.partition))) continue;
    if (!container.isCurrent(item) || Number(item.body._ts) < since) continue;
    const document = `${item.json.slice(0, -1)},"_lsn":${item.lsn}}`;
    page.documents.push(document);
    page.bytes += document.length;
    page.etag = etag(item.lsn);
    if (page.documents.length === pageSize) return page;
  }
  page.etag = etag(container.lsn);
  return page;
}

function lsnOf(etag: string): number {
  const lsn = Number(etag.replaceAll('"', ""));
  if (!Number.isInteger(lsn)) throw badRequest("Invalid change feed continuation.");
  return lsn;
}

function secondOf(date: string | undefined): number {
  if (date === undefined) return 0;
  const time = Date.parse(date);
  if (Number.isNaN(time)) throw badRequest("If-Modified-Since is not a date.");
  return Math.floor(time / 1000);
}
