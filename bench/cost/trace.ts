/** What the app asked of Cosmos DB, from the trace that `inside/trace-requests.ts` writes in its process. */
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { StackOptions } from "../../local/stack.ts";
import type { TracedRequest } from "../inside/trace-requests.ts";
import { inside } from "../lib/inside.ts";
import type { Bench } from "../lib/measurement.ts";
import type { Subject } from "../lib/subject.ts";

export interface CosmosCost {
  requests: number;
  units: number;
  /** The longest chain of requests, each begun after the one before it had ended, until the client knew the end. */
  roundTrips: number;
}

/** The trace of one app, read as it grows. */
export class Trace {
  readonly #file: string;
  readonly #host: string;
  #read = 0;
  #half = "";
  readonly #requests: TracedRequest[] = [];

  constructor(file: string, cosmosEndpoint: string) {
    this.#file = file;
    this.#host = new URL(cosmosEndpoint).host;
  }

  /** All requests for documents so far, in the order in which they were answered. */
  requests(): TracedRequest[] {
    for (const line of this.#newLines()) {
      const request = JSON.parse(line) as TracedRequest;
      if (request.host === this.#host && request.path.includes("/docs")) this.#requests.push(request);
    }
    return this.#requests;
  }

  #newLines(): string[] {
    if (!existsSync(this.#file)) return [];
    const file = openSync(this.#file, "r");
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.#read);
      this.#read += readSync(file, bytes, 0, bytes.length, this.#read);
      const lines = (this.#half + bytes.toString()).split("\n");
      this.#half = lines.pop() ?? "";
      return lines;
    } finally {
      closeSync(file);
    }
  }
}

/** Does the work on a fresh local stack whose app notes its requests. */
export async function onTracedApp<Result>(
  bench: Bench,
  options: StackOptions,
  work: (subject: Subject, trace: Trace) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-trace-"));
  const file = path.join(folder, "requests");
  const env = { ...options.env, ...inside("trace-requests"), REQUEST_TRACE: file };
  try {
    return await bench.onApp({ ...options, env }, (subject) =>
      work(subject, new Trace(file, subject.local.cosmos.endpoint)),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `ended`: when the client knew the end, on the clock of `Date`. No client waits for what comes later. */
export function costOf(requests: TracedRequest[], ended: number): CosmosCost {
  const before = requests.filter(({ from }) => from < ended);
  return { requests: requests.length, units: unitsOf(requests), roundTrips: longestChain(before) };
}

export const unitsOf = (requests: TracedRequest[]): number => requests.reduce((sum, { units }) => sum + units, 0);

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
