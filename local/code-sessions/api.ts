/** The operations of a pool of dynamic sessions: what each takes and answers. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Answer } from "./answers.ts";
import { executionNotFound, invalid, noSuchRoute, tooLarge, wrongMethod } from "./errors.ts";
import { orderIn } from "./executions.ts";
import type { Operation } from "./faults.ts";
import { fileName, folderFrom, identifierFrom, newFileName } from "./names.ts";
import type { Package } from "./packages.ts";
import type { Pool } from "./pool.ts";
import { type FileEntry, PIECE, type Session } from "./session.ts";
import { uploadIn } from "./upload.ts";

export interface Metadata {
  python: string;
  pyodide: string;
  packages: () => Promise<Package[]>;
  startedAt: string;
}

export interface Call {
  request: IncomingMessage;
  url: URL;
  query: URLSearchParams;
  /** What stands in the place of a name or an id in the path, as it came. */
  name: string;
}

interface Route {
  method: string;
  path: RegExp;
  operation: Operation;
  answer: (api: Api, call: Call) => Promise<Answer>;
}

/** Bytes of a request that is no upload. */
const LARGEST_BODY = 8 * 2 ** 20;
const FILES_PAGE = 1000;
const SESSIONS_PAGE = 100;
const OPERATION_ID = /^[\w.-]{1,128}$/;

const ROUTES: Route[] = [
  { method: "POST", path: /^\/executions$/, operation: "execute", answer: (api, call) => api.execute(call) },
  {
    method: "GET",
    path: /^\/executions\/([^/]+)$/,
    operation: "execution",
    answer: (api, call) => api.execution(call),
  },
  { method: "GET", path: /^\/files$/, operation: "list-files", answer: (api, call) => api.listFiles(call) },
  { method: "POST", path: /^\/files$/, operation: "upload", answer: (api, call) => api.upload(call) },
  { method: "GET", path: /^\/files\/([^/]+)$/, operation: "file", answer: (api, call) => api.file(call) },
  {
    method: "DELETE",
    path: /^\/files\/([^/]+)$/,
    operation: "delete-file",
    answer: (api, call) => api.deleteFile(call),
  },
  {
    method: "GET",
    path: /^\/files\/([^/]+)\/content$/,
    operation: "content",
    answer: (api, call) => api.content(call),
  },
  { method: "GET", path: /^\/session$/, operation: "session", answer: (api, call) => api.session(call) },
  {
    method: "DELETE",
    path: /^\/session$/,
    operation: "delete-session",
    answer: (api, call) => api.deleteSession(call),
  },
  {
    method: "GET",
    path: /^\/listSessions$/,
    operation: "list-sessions",
    answer: (api, call) => api.listSessions(call),
  },
  { method: "GET", path: /^\/metadata$/, operation: "metadata", answer: (api) => api.metadata() },
];

/** Throws 404 and 405. */
export function routeFor(method: string, path: string): { route: Route; name: string } {
  const there = ROUTES.filter((route) => route.path.test(path));
  if (there.length === 0) throw noSuchRoute(`${method} ${path}`);
  const route = there.find((candidate) => candidate.method === method);
  if (route === undefined) throw wrongMethod(`${method} ${path}`);
  return { route, name: route.path.exec(path)?.[1] ?? "" };
}

export class Api {
  readonly #pool: Pool;
  readonly #metadata: Metadata;

  constructor(pool: Pool, metadata: Metadata) {
    this.#pool = pool;
    this.#metadata = metadata;
  }

  async execute(call: Call): Promise<Answer> {
    const identifier = identifierFrom(call.query);
    const order = orderIn(await jsonIn(call.request));
    const id = operationId(call.request) ?? randomUUID();
    const { session, isNew } = this.#pool.obtain(identifier);
    const execution = await session.execute(order, id);
    const location = new URL(`/executions/${id}`, call.url);
    location.search = call.url.search;
    const headers = { "operation-id": id, "operation-location": location.href };
    return { status: 200, json: execution, headers: { ...headers, ...about(session, isNew) } };
  }

  async execution({ query, name }: Call): Promise<Answer> {
    const execution = this.#pool.existing(identifierFrom(query)).execution(name);
    if (execution === undefined) throw executionNotFound(name);
    return { status: 200, json: execution };
  }

  async listFiles({ query, url }: Call): Promise<Answer> {
    const folder = folderFrom(query);
    const isRecursive = flagIn(query, "recursive");
    const skip = skipIn(query);
    const { session, isNew } = this.#pool.obtain(identifierFrom(query));
    const entries = await session.list(folder, isRecursive);
    const next = new URL(url);
    next.searchParams.set("skip", String(skip + FILES_PAGE));
    const nextLink = entries.length > skip + FILES_PAGE ? next.href : null;
    const value = entries.slice(skip, skip + FILES_PAGE).map(shown);
    return { status: 200, json: { value, nextLink }, headers: about(session, isNew) };
  }

  async upload({ query, request }: Call): Promise<Answer> {
    const folder = folderFrom(query);
    const identifier = identifierFrom(query);
    const { filename, content } = await uploadIn(request);
    const name = newFileName(filename);
    const { session, isNew } = this.#pool.obtain(identifier);
    return { status: 200, json: shown(await session.upload(folder, name, content)), headers: about(session, isNew) };
  }

  async file({ query, name }: Call): Promise<Answer> {
    const [folder, file] = [folderFrom(query), fileName(name)];
    const { session } = this.#pool.obtain(identifierFrom(query));
    return { status: 200, json: shown(await session.describe(folder, file)) };
  }

  async deleteFile({ query, name }: Call): Promise<Answer> {
    const [folder, file] = [folderFrom(query), fileName(name)];
    await this.#pool.obtain(identifierFrom(query)).session.remove(folder, file);
    return { status: 204 };
  }

  async content({ query, name }: Call): Promise<Answer> {
    const [folder, file] = [folderFrom(query), fileName(name)];
    const { session } = this.#pool.obtain(identifierFrom(query));
    const first = await session.read(folder, file, 0);
    return { status: 200, content: { size: first.size, pieces: piecesOf(session, folder, file, first) } };
  }

  async session({ query }: Call): Promise<Answer> {
    return { status: 200, json: this.#shown(this.#pool.existing(identifierFrom(query))) };
  }

  async deleteSession({ query }: Call): Promise<Answer> {
    await this.#pool.end(this.#pool.existing(identifierFrom(query)));
    return { status: 204 };
  }

  async listSessions({ query, url }: Call): Promise<Answer> {
    const skip = skipIn(query);
    const all = this.#pool.sessions;
    const next = new URL(url);
    next.searchParams.set("skip", String(skip + SESSIONS_PAGE));
    const sessions = all.slice(skip, skip + SESSIONS_PAGE).map((session) => this.#shown(session));
    return { status: 200, json: { sessions, nextLink: all.length > skip + SESSIONS_PAGE ? next.href : null } };
  }

  async metadata(): Promise<Answer> {
    const { python, pyodide, packages, startedAt } = this.#metadata;
    const jupyterKernel = {
      name: "none",
      version: pyodide,
      projectUrl: "https://pyodide.org/",
      description: "Not Jupyter: Pyodide in a sandbox on this machine",
    };
    const runtimes = [{ name: "python", version: python }];
    const [createdAt, lastUpdatedAt] = [startedAt, startedAt];
    const preInstalledPackages = await packages();
    return { status: 200, json: { runtimes, preInstalledPackages, createdAt, lastUpdatedAt, jupyterKernel } };
  }

  #shown(session: Session): object {
    return {
      identifier: session.identifier,
      createdAt: new Date(session.createdAt).toISOString(),
      lastAccessedAt: new Date(session.lastAccessedAt).toISOString(),
      expireAt: new Date(this.#pool.expireAt(session)).toISOString(),
      etag: session.etag,
    };
  }
}

async function* piecesOf(session: Session, folder: string, name: string, first: { size: number; bytes: Uint8Array }) {
  yield first.bytes;
  for (let at = first.bytes.length; at < first.size; at += PIECE) yield (await session.read(folder, name, at)).bytes;
}

function shown({ name, directory, type, size, modified }: FileEntry): object {
  const lastModifiedAt = new Date(Math.min(Math.max(modified, 0), 8.64e15)).toISOString();
  return { name, type, contentType: "application/octet-stream", sizeInBytes: size, lastModifiedAt, directory };
}

const about = ({ etag }: Session, isNew: boolean) => ({
  "x-ms-session-guid": etag,
  "x-ms-new-allocation": String(isNew),
});

function operationId({ headers }: IncomingMessage): string | undefined {
  const given = headers["operation-id"];
  if (given === undefined) return undefined;
  if (typeof given === "string" && OPERATION_ID.test(given)) return given;
  throw invalid("The header operation-id is not valid.");
}

function flagIn(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? "false";
  if (!/^(true|false)$/i.test(text)) throw invalid(`The query parameter '${name}' must be true or false.`);
  return text.toLowerCase() === "true";
}

function skipIn(query: URLSearchParams): number {
  const text = query.get("skip") ?? "0";
  if (!/^\d{1,9}$/.test(text)) throw invalid("The query parameter 'skip' must be a number.");
  return Number(text);
}

export async function jsonIn(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > LARGEST_BODY) throw tooLarge("The request", LARGEST_BODY);
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch {
    throw invalid("The request has no JSON.");
  }
}
