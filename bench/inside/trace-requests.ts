/**
 * Loaded into the process of the app (`--import`): notes every HTTP request that the app sends, with its times and the
 * request units that its answer tells, in the file that REQUEST_TRACE names. A line of JSON each.
 */
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync } from "node:fs";
import type { ClientRequest, IncomingMessage } from "node:http";

/** Times in milliseconds, on the clock of `Date`. */
export interface TracedRequest {
  method: string;
  host: string;
  path: string;
  /** of Cosmos DB: what its headers tell that method and path do not */
  kind: "batch" | "query" | "";
  /** of Cosmos DB: the partition key; empty for a query over all partitions */
  partition: string;
  /** of Cosmos DB: whether it only asks if a document is still the same */
  isLook: boolean;
  status: number;
  units: number;
  from: number;
  to: number;
}

const file = process.env.REQUEST_TRACE ?? "";
const begun = new WeakMap<ClientRequest, number>();
const now = () => performance.timeOrigin + performance.now();

// Not `request.start`, which comes when the body is sent: an answer may be there by then.
subscribe("http.client.request.created", (message) => {
  begun.set((message as { request: ClientRequest }).request, now());
});

// The name is Node's: it is published when the answer's headers have come.
subscribe("http.client.response.finish", (message) => {
  const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
  const traced: TracedRequest = {
    method: request.method,
    host: String(request.getHeader("host")),
    path: request.path,
    kind: kindOf(request),
    partition: partitionOf(request),
    isLook: request.hasHeader("if-none-match"),
    status: response.statusCode ?? 0,
    units: Number(response.headers["x-ms-request-charge"] ?? 0),
    from: begun.get(request) ?? now(),
    to: now(),
  };
  appendFileSync(file, `${JSON.stringify(traced)}\n`);
});

function kindOf(request: ClientRequest): TracedRequest["kind"] {
  if (request.hasHeader("x-ms-cosmos-is-batch-request")) return "batch";
  return request.hasHeader("x-ms-documentdb-isquery") ||
    request.hasHeader("x-ms-documentdb-query-iscontinuationexpected")
    ? "query"
    : "";
}

/** The header holds a JSON array with the one value. */
function partitionOf(request: ClientRequest): string {
  const header = request.getHeader("x-ms-documentdb-partitionkey");
  return typeof header === "string" ? String((JSON.parse(header) as unknown[])[0] ?? "") : "";
}
