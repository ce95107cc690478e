/** What the app asked of Cosmos DB, from the trace that `inside/trace-requests.ts` writes in its process. */
import { existsSync, readFileSync } from "node:fs";
import type { TracedRequest } from "../inside/trace-requests.ts";

export interface CosmosCost {
  requests: number;
  units: number;
  /** The longest chain of requests of which each began after the one before it had ended. */
  roundTrips: number;
}

/** The requests to Cosmos DB so far, in the order in which they began; without those that only keep the SDK informed. */
export function cosmosRequests(file: string, cosmosEndpoint: string): TracedRequest[] {
  if (!existsSync(file)) return [];
  const { host } = new URL(cosmosEndpoint);
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TracedRequest)
    .filter((request) => request.host === host && request.path.includes("/docs"))
    .toSorted((a, b) => a.from - b.from);
}

export function costOf(requests: TracedRequest[]): CosmosCost {
  return {
    requests: requests.length,
    units: requests.reduce((sum, { units }) => sum + units, 0),
    roundTrips: longestChain(requests),
  };
}

/** The length of the longest chain of requests that do not overlap, found by taking those that end first. */
function longestChain(requests: TracedRequest[]): number {
  let chain = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const { from, to } of requests.toSorted((a, b) => a.to - b.to)) {
    if (from < end) continue;
    chain += 1;
    end = to;
  }
  return chain;
}

export function describe({ method, path, kind }: TracedRequest): string {
  const [, container = "", id = ""] = /\/colls\/([^/]+)\/docs\/?([^/?]*)/.exec(path) ?? [];
  const what = kind === "" ? (VERBS[method] ?? method) : kind;
  // An id without its random part tells what kind of document it is.
  const document = decodeURIComponent(id).replace(/_[A-Za-z0-9]{24}.*/, "_…");
  return [what, container, document].filter((part) => part !== "").join(" ");
}

const VERBS: Record<string, string> = { GET: "read", POST: "create", PUT: "replace", PATCH: "patch", DELETE: "delete" };
