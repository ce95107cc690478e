import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { badRequest, type CosmosError, tooLarge } from "./errors.ts";
import { header, isTrue } from "./headers.ts";
import { MAX_REQUEST_BYTES } from "./limits.ts";
import type { Value } from "./sql/values.ts";
import type { View } from "./views.ts";

export interface CosmosRequest {
  method: string;
  /** As sent, without the query string: what the client signed. */
  path: string;
  /** The decoded parts of the path. */
  parts: string[];
  headers: IncomingHttpHeaders;
  body: string;
  /** What injected faults do to this request beside answering it with an error. */
  trouble?: Trouble;
}

/** How the pages of a query come. */
export interface PageTrouble {
  /** An empty page with a continuation token before each page. */
  empty?: boolean;
  /** The most results of a page. */
  short?: number;
  /** An aggregate in two parts. */
  partial?: boolean;
}

export interface Trouble {
  pages?: PageTrouble;
  /** One operation of a batch fails; `index` counts from 0, the last one unless given. */
  inBatch?: { error: CosmosError; index?: number | undefined };
}

export interface Answer {
  status: number;
  /** JSON text; none for 204 and 304. */
  body?: string;
  headers?: Record<string, string>;
  charge: number;
  /** Whose progress the session token of the answer tells. */
  session?: View;
}

export async function readRequest(message: IncomingMessage): Promise<CosmosRequest> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    size += chunk.length;
    if (size <= MAX_REQUEST_BYTES) chunks.push(chunk);
  }
  if (size > MAX_REQUEST_BYTES) throw tooLarge("Request size is too large");
  const path = (message.url ?? "/").split("?", 1)[0] ?? "/";
  return {
    method: message.method ?? "GET",
    path,
    parts: path
      .split("/")
      .filter((part) => part !== "")
      .map(decodePart),
    headers: message.headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badRequest(`The path is not a valid URL: '${part}'.`);
  }
}

export function jsonBody(request: CosmosRequest): Value {
  try {
    return JSON.parse(request.body);
  } catch {
    throw badRequest("The request payload is invalid. Ensure to provide a valid JSON payload.");
  }
}

/** What a request does, in the words of faults and statistics. */
export function operationOf({ method, parts, headers }: CosmosRequest): string {
  if (parts[0] !== "dbs" || parts[2] !== "colls" || parts[4] !== "docs") return "metadata";
  if (parts.length === 6) return ITEM_OPERATIONS[method] ?? "other";
  if (method === "GET") return header(headers, "a-im") === undefined ? "query" : "change-feed";
  if (isTrue(headers, "x-ms-cosmos-is-query-plan-request")) return "query-plan";
  if (isQuery(headers)) return "query";
  if (isTrue(headers, "x-ms-cosmos-is-batch-request")) {
    return isTrue(headers, "x-ms-cosmos-batch-atomic") ? "batch" : "bulk";
  }
  return isTrue(headers, "x-ms-documentdb-is-upsert") ? "upsert" : "create";
}

const ITEM_OPERATIONS: Record<string, string> = { GET: "read", PUT: "replace", PATCH: "patch", DELETE: "delete" };

export const isQuery = (headers: IncomingHttpHeaders) =>
  isTrue(headers, "x-ms-documentdb-isquery") ||
  (header(headers, "content-type") ?? "").startsWith("application/query+json");
