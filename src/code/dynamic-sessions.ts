/**
 * Sessions of Azure Container Apps, or of the local server that speaks the same interface: the only client of either.
 * Azure documents the interface at https://learn.microsoft.com/azure/container-apps/sessions-code-interpreter.
 */
import type { Config } from "../config.ts";
import { inLanes } from "../resources/lanes.ts";
import { endingOf, executed, listing, metadata, parse } from "./answers.ts";
import { answerIn, type DoneCell, execution, isPlain, LEDGER_FOLDER, ledgerEntry, ledgerKey } from "./driver.ts";
import { fileBody, Gone } from "./file-body.ts";
import { placed } from "./placed.ts";
import { garbage, isGone, Pool, type PoolRequest, refusal } from "./pool.ts";
import type { CellCall, CellResult, CodeSession, CodeSessions, Prepared, SessionFile, SessionRef } from "./session.ts";

const MEGABYTE = 1_048_576;
const SECOND = 1_000;

/** The characters of names that Azure's pools take for an upload. */
const TAKEN_PATH = /^[\p{L}\p{N} \-_.@$&=;,#%^()/]+$/u;

const UPLOADS_AT_ONCE = 4;
const MOST_PAGES = 100;
/** Some 30,000 files: to read more would keep other work waiting. Bytes. */
const LARGEST_LISTING = 4 * MEGABYTE;

/** How long requests may take. Milliseconds. */
export interface Patience {
  /** what an execution may take beside its code: a session must be found, and an execution under way there must end */
  allowance: number;
  /** other requests about a session, beside the time for their bytes */
  usual: number;
  /** what the first of them may take in addition: code of a driver that is gone may still run there */
  running: number;
  metadata: number;
  discard: number;
}

const PATIENCE: Omit<Patience, "running"> = {
  allowance: 40 * SECOND,
  usual: 30 * SECOND,
  metadata: 5 * SECOND,
  discard: 5 * SECOND,
};

/** After this, the list of libraries is asked for again if it did not come. */
const METADATA_PAUSE = 600 * SECOND;
/** Milliseconds for the bytes of a file: it comes with 1 MB a second at least. */
const transfer = (bytes: number) => Math.ceil(bytes / 1_000);

/** Characters of either stream in an answer. */
const STREAM_LENGTH = 4_096;
/** A million characters of logs, written in JSON. */
const LARGEST_LEDGER = 16 * MEGABYTE;

export type SessionSettings = Pick<Config, "managedIdentityClientId" | "hasIdentityEndpoint"> & {
  code: NonNullable<Config["code"]>;
};

export class DynamicSessions implements CodeSessions {
  readonly #pool: Pool;
  readonly #patience: Patience;
  #packages: Promise<readonly string[] | undefined> | undefined;
  #packagesAskedAt = 0;

  constructor(settings: SessionSettings, patience: Partial<Patience> = {}) {
    this.#pool = new Pool(settings.code, settings);
    this.#patience = { ...PATIENCE, running: settings.code.timeout * SECOND, ...patience };
  }

  open({ id }: SessionRef): CodeSession {
    return new DynamicSession(this.#pool, id, this.#patience);
  }

  packages(): Promise<readonly string[] | undefined> {
    const now = Date.now();
    if (this.#packages === undefined || (this.#packagesAskedAt > 0 && now - this.#packagesAskedAt > METADATA_PAUSE)) {
      this.#packagesAskedAt = now;
      this.#packages = this.#askForPackages();
    }
    return this.#packages;
  }

  async #askForPackages(): Promise<readonly string[] | undefined> {
    const timeout = this.#patience.metadata;
    const request: PoolRequest = { method: "GET", template: "/metadata", timeout, mostBytes: 4 * MEGABYTE };
    try {
      const { preInstalledPackages } = parse(metadata, request, await this.#pool.send(request));
      this.#packagesAskedAt = 0;
      return preInstalledPackages.map(({ name }) => name).filter((name) => /^[\w.-]{1,60}$/.test(name));
    } catch {
      return undefined;
    }
  }
}

class DynamicSession implements CodeSession {
  readonly #pool: Pool;
  readonly #identifier: string;
  readonly #patience: Patience;
  /** second names of files, and what they lead to */
  #links: Record<string, string> = {};
  /** other paths of files that code wrote, where their own are none that the pool takes */
  readonly #places = new Map<string, string>();

  constructor(pool: Pool, identifier: string, patience: Patience) {
    this.#pool = pool;
    this.#identifier = identifier;
    this.#patience = patience;
  }

  async prepare(files: readonly SessionFile[], signal: AbortSignal): Promise<Prepared> {
    const present = await this.#among(new Set([LEDGER_FOLDER, ...files.map(({ path }) => path)]), signal);
    const fresh = !present.has(LEDGER_FOLDER);
    const places = placed(files);
    const tooLarge = places.flatMap(({ file, isTooLarge }) => (isTooLarge ? [file.path] : []));
    const missing: string[] = [];
    const wanted = places.flatMap(({ file, isTooLarge }) => {
      const isWanted = !isTooLarge && !present.has(file.path) && (fresh || file.restored !== true);
      return isWanted ? [file] : [];
    });
    const upload = async (file: SessionFile, stop: AbortSignal) => {
      const outcome = await this.#upload(file, stop);
      if (outcome !== "done") (outcome === "too large" ? tooLarge : missing).push(file.path);
    };
    await inLanes(UPLOADS_AT_ONCE, wanted, upload, signal);
    const absent = new Set([...tooLarge, ...missing]);
    const there = placed(files.filter(({ path }) => !absent.has(path)));
    const links = there.flatMap(({ file: { alias = "", path }, isLinked }) => (isLinked ? [[alias, path]] : []));
    this.#links = Object.fromEntries(links);
    return { fresh, tooLarge, missing };
  }

  async run(call: CellCall, signal: AbortSignal): Promise<CellResult> {
    const result = await this.#run(call, signal);
    if (result.kind !== "done") await this.discard();
    return result;
  }

  async read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (!isPlain(path)) return undefined;
    const timeout = this.#patience.usual + transfer(maxBytes);
    return (await this.#content(this.#places.get(path) ?? path, maxBytes, timeout, signal))?.bytes;
  }

  async discard(): Promise<void> {
    const timeout = this.#patience.discard;
    const query = { identifier: this.#identifier };
    await this.#pool
      .send({ method: "DELETE", template: "/session", query, timeout, mostBytes: 65_536 })
      .catch(() => {});
  }

  async #run(call: CellCall, signal: AbortSignal): Promise<CellResult> {
    const { step, code, timeout } = call;
    const key = ledgerKey(call);
    const body = jsonBody({
      codeInputType: "Inline",
      executionType: "Synchronous",
      code: execution({ key, step, code, links: this.#links }),
      timeoutInSeconds: timeout,
      outputStreamsMaxLength: STREAM_LENGTH,
    });
    const request: PoolRequest = {
      method: "POST",
      template: "/executions",
      query: { identifier: this.#identifier },
      body,
      timeout: timeout * SECOND + this.#patience.allowance,
      mostBytes: MEGABYTE,
    };
    const answer = await this.#pool.send(request, signal);
    const outcome = parse(executed, request, answer);
    const told = answerIn(outcome.result?.stdout ?? "", key);
    if (told?.kind === "done") return this.#found(told);
    const ending = told === undefined ? endingOf(outcome) : "lost";
    if (ending === "timeout") return { kind: "timeout" };
    if (ending === "aborted") throw refusal(request, { ...answer, status: 503 });
    if (ending !== "lost") return { kind: "died", reason: ending };
    const entry = await this.#ledger(key, signal);
    if (entry === undefined) return { kind: "died", reason: "crash" };
    return this.#found({ ...entry, repeated: told?.repeated ?? entry.repeated });
  }

  #found(result: DoneCell): CellResult {
    const files = result.files.map(({ path, size, at }) => {
      if (at === undefined) this.#places.delete(path);
      else this.#places.set(path, at);
      return { path, size };
    });
    return { ...result, files };
  }

  async #ledger(key: string, signal: AbortSignal): Promise<DoneCell | undefined> {
    const bytes = await this.read(`${LEDGER_FOLDER}/${key}.json`, LARGEST_LEDGER, signal);
    return bytes && ledgerEntry(bytes, key);
  }

  /** Those of the names that are in the session's folder, which may hold any number of others. */
  async #among(wanted: ReadonlySet<string>, signal: AbortSignal): Promise<Set<string>> {
    const names = new Set<string>();
    let query: Record<string, string> = { identifier: this.#identifier };
    for (let page = 0; page < MOST_PAGES; page++) {
      const request: PoolRequest = {
        method: "GET",
        template: "/files",
        query,
        timeout: this.#patience.usual + this.#patience.running,
        mostBytes: LARGEST_LISTING,
      };
      const answer = await this.#pool.send(request, signal);
      if (isGone(answer.bytes)) return names;
      const isJson = /\bjson\b/.test(answer.headers.get("content-type") ?? "");
      if (answer.status === 200 && answer.bytes === undefined && isJson) return this.#eachAmong(wanted, signal);
      const { value, nextLink } = parse(listing, request, answer);
      for (const { name } of value) if (wanted.has(name)) names.add(name);
      if (nextLink === null || nextLink === undefined || nextLink === "") return names;
      if (!this.#pool.isOwn(nextLink)) throw garbage(request, answer);
      query = { ...paramsOf(nextLink), identifier: this.#identifier };
    }
    return names;
  }

  /** As `#among`, where so many files are in the session that they are not to be read. */
  async #eachAmong(wanted: ReadonlySet<string>, signal: AbortSignal): Promise<Set<string>> {
    const names = new Set([LEDGER_FOLDER]);
    const look = async (path: string, stop: AbortSignal) => {
      if (!isPlain(path)) return;
      if ((await this.#content(path, 0, this.#patience.usual, stop)) !== undefined) names.add(path);
    };
    await inLanes(
      UPLOADS_AT_ONCE,
      [...wanted].filter((path) => path !== LEDGER_FOLDER),
      look,
      signal,
    );
    return names;
  }

  /** What the pool answers when it is asked for a file's bytes; undefined if there is no such file. */
  async #content(path: string, mostBytes: number, timeout: number, signal: AbortSignal) {
    const { name, query } = this.#place(path);
    const request: PoolRequest = { method: "GET", template: "/files/{name}/content", name, query, timeout, mostBytes };
    const answer = await this.#pool.send(request, signal);
    // 400: a name that the pool does not take, though a file in the session has it.
    if (answer.status === 404 || answer.status === 400) return undefined;
    if (answer.status !== 200) throw refusal(request, answer);
    return answer;
  }

  /** Throws what `open` of the file threw, as it was. */
  async #upload(file: SessionFile, signal: AbortSignal): Promise<"done" | "too large" | "missing"> {
    if (!isPlain(file.path) || !TAKEN_PATH.test(file.path)) return "missing";
    const { name, query } = this.#place(file.path);
    const body = fileBody(name, file.bytes, () => file.open(signal));
    const timeout = this.#patience.usual + transfer(file.bytes);
    const request: PoolRequest = { method: "POST", template: "/files", query, body, timeout, mostBytes: MEGABYTE };
    const answer = await this.#pool.send(request, signal).catch((error) => {
      signal.throwIfAborted();
      if (body.failure instanceof Gone) return "missing" as const;
      throw body.failure ?? error;
    });
    if (answer === "missing") return "missing";
    if (answer.status === 413) return "too large";
    // What code calls its files may be no name to the pool: its next sessions do without such a file.
    if (answer.status === 400 && file.restored !== undefined) return "missing";
    if (answer.status < 200 || answer.status >= 300) throw refusal(request, answer);
    return "done";
  }

  #place(path: string): { name: string; query: Record<string, string> } {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    const folder = parts.join("/");
    return { name, query: { identifier: this.#identifier, ...(folder !== "" && { path: folder }) } };
  }
}

function jsonBody(value: unknown) {
  const bytes = Buffer.from(JSON.stringify(value));
  return {
    type: "application/json",
    bytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

const paramsOf = (link: string) => Object.fromEntries(new URL(link, "http://pool").searchParams);
