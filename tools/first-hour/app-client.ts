/** Plain HTTP to the app, and what the checks have created through it. */
import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const object = z.looseObject({ id: z.string(), status: z.string().optional(), created_at: z.number().optional() });
export type ApiObject = z.output<typeof object>;

/** How often a run is looked at. Milliseconds. */
const POLL = 50;
/** No request takes longer; a front end of Azure cuts after 230 s. Milliseconds. */
const LONGEST_REQUEST = 60_000;

/** Milliseconds. */
const LONGEST_LAG = 2_000;

const ENDED = ["completed", "failed", "incomplete", "expired", "cancelled", "requires_action"];

export interface Reply {
  status: number;
  text: string;
  /** milliseconds */
  took: number;
}

/** A piece of a stream, with the milliseconds since its request. */
export interface Piece {
  at: number;
  text: string;
}

export class AppClient {
  readonly url: string;
  readonly #key: string;
  readonly #signal: AbortSignal;
  readonly #threads = new Set<string>();
  readonly #assistants = new Set<string>();
  readonly #files = new Set<string>();
  readonly #vectorStores = new Set<string>();
  readonly #creating = new Set<Promise<unknown>>();
  /** Runs created so far. */
  runs = 0;
  /** How often runs were looked at. */
  polls = 0;

  constructor({ url, key }: { url: string; key: string }, signal: AbortSignal) {
    this.url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#signal = signal;
  }

  /** Answers also with errors; throws only if there is no answer. */
  async call(method: string, path: string, body?: unknown): Promise<Reply> {
    const started = performance.now();
    const response = await this.#fetch(method, path, body);
    return { status: response.status, text: await response.text(), took: performance.now() - started };
  }

  /** What creates something is not interrupted: its id would be lost. */
  #fetch(method: string, path: string, body: unknown): Promise<Response> {
    this.#signal.throwIfAborted();
    const timeout = AbortSignal.timeout(LONGEST_REQUEST);
    return fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, "content-type": "application/json" },
      signal: method === "GET" ? AbortSignal.any([this.#signal, timeout]) : timeout,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  }

  /** Throws unless the answer is 200. */
  async object(method: string, path: string, body?: unknown): Promise<ApiObject> {
    const { status, text } = await this.call(method, path, body);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 200)}`);
    return object.parse(JSON.parse(text));
  }

  async assistant(model: string): Promise<string> {
    const body = { model, name: "first-hour", instructions: "Be brief." };
    return this.#create("/assistants", body, this.#assistants);
  }

  /** A check that ends early leaves requests under way: what they create must be deleted, too. */
  #create(path: string, body: object, created: Set<string>): Promise<string> {
    const creating = this.object("POST", path, body).then(({ id }) => {
      created.add(id);
      return id;
    });
    const settled: Promise<unknown> = creating.catch(() => {}).finally(() => this.#creating.delete(settled));
    this.#creating.add(settled);
    return creating;
  }

  /** A file of these words. */
  async upload(filename: string, text: string): Promise<string> {
    const body = new FormData();
    body.set("purpose", "assistants");
    body.set("file", new Blob([text]), filename);
    this.#signal.throwIfAborted();
    const response = await fetch(`${this.url}/files`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#key}` },
      signal: AbortSignal.timeout(LONGEST_REQUEST),
      body,
    });
    const answer = await response.text();
    if (response.status !== 200) throw new Error(`POST /files: ${response.status} ${answer.slice(0, 200)}`);
    const { id } = object.parse(JSON.parse(answer));
    this.#files.add(id);
    return id;
  }

  /** A vector store with one file, in small chunks. */
  async vectorStore(file: string): Promise<string> {
    const small = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };
    return this.#create("/vector_stores", { file_ids: [file], chunking_strategy: small }, this.#vectorStores);
  }

  /** A thread with these messages of its user. */
  async thread(...messages: string[]): Promise<string> {
    const body = { messages: messages.map((content) => ({ role: "user", content })) };
    return this.#create("/threads", body, this.#threads);
  }

  async deleteThread(id: string): Promise<void> {
    await this.object("DELETE", `/threads/${id}`);
    this.#threads.delete(id);
  }

  /** A background run on a thread of its own. */
  async run(assistant: string, question = "Say hello."): Promise<{ thread: string; run: string }> {
    return this.runOn(await this.thread(question), assistant);
  }

  async runOn(thread: string, assistant: string): Promise<{ thread: string; run: string }> {
    this.runs += 1;
    const { id } = await this.object("POST", `/threads/${thread}/runs`, { assistant_id: assistant });
    return { thread, run: id };
  }

  /**
   * Waits until the run has one of these statuses, or has ended otherwise; the last status, with the milliseconds
   * waited.
   */
  async waitFor(ref: { thread: string; run: string }, statuses: string[], longest: number): Promise<[string, number]> {
    const started = performance.now();
    for (;;) {
      const seen = await this.#statusOf(ref);
      const waited = performance.now() - started;
      if (statuses.includes(seen) || ENDED.includes(seen) || waited > longest) return [seen, waited];
      await sleep(POLL, undefined, { signal: this.#signal });
    }
  }

  /** Its answer may be an error or missing while the app is in trouble: that is a status like others. */
  async #statusOf({ thread, run }: { thread: string; run: string }): Promise<string> {
    this.polls += 1;
    try {
      const { status, text } = await this.call("GET", `/threads/${thread}/runs/${run}`);
      return status === 200 ? (object.parse(JSON.parse(text)).status ?? "") : `answered with ${status}`;
    } catch {
      return "without an answer";
    }
  }

  /** Waits until the run has ended; its status. Milliseconds. */
  async ending(ref: { thread: string; run: string }, longest: number): Promise<string> {
    return (await this.waitFor(ref, [], longest))[0];
  }

  /** The pieces of a streamed run as they come; the iteration may be left early, which cuts the connection. */
  async *stream(assistant: string, thread: string): AsyncGenerator<Piece> {
    const started = performance.now();
    this.runs += 1;
    const response = await this.#fetch("POST", `/threads/${thread}/runs`, { assistant_id: assistant, stream: true });
    if (response.status !== 200 || response.body === null) {
      throw new Error(`a streamed run: ${response.status} ${(await response.text()).slice(0, 200)}`);
    }
    const decoder = new TextDecoder();
    for await (const bytes of response.body) {
      yield { at: performance.now() - started, text: decoder.decode(bytes, { stream: true }) };
    }
  }

  /** GET of a path beside the API. */
  async fromRoot(path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(new URL(path, this.url), { signal: this.#signal });
    return { status: response.status, text: await response.text() };
  }

  /** A request whose path is sent as it is, from the root; "cut" if the connection breaks instead of an answer. */
  raw(method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: Buffer): Promise<string> {
    const { protocol, hostname, port } = new URL(this.url);
    const send = protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve) => {
      const options = {
        method,
        path,
        hostname,
        port,
        headers: { authorization: `Bearer ${this.#key}`, ...headers },
        timeout: LONGEST_REQUEST,
        signal: this.#signal,
      };
      const request = send(options, (response) => {
        response.resume();
        resolve(String(response.statusCode));
      });
      request.on("error", () => resolve("cut"));
      request.on("timeout", () => request.destroy());
      request.end(body);
    });
  }

  /** Deletes everything that was created here. */
  async deleteAll(): Promise<void> {
    await Promise.all(this.#creating);
    const paths = [
      ...[...this.#threads].map((id) => `/threads/${id}`),
      ...[...this.#assistants].map((id) => `/assistants/${id}`),
      ...[...this.#vectorStores].map((id) => `/vector_stores/${id}`),
      ...[...this.#files].map((id) => `/files/${id}`),
    ];
    const unknown = await this.#deletePaths(paths);
    if (unknown.length === 0) return;
    // An account that is not Strong may not show yet what was just created.
    await sleep(LONGEST_LAG);
    await this.#deletePaths(unknown);
  }

  /** Returns those that the app does not know; throws if others could not be deleted. */
  async #deletePaths(paths: string[]): Promise<string[]> {
    const failed: string[] = [];
    const unknown: string[] = [];
    await inLanes(20, paths, async (path) => {
      // Not with the signal, which may be why this is done.
      const response = await fetch(`${this.url}${path}`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${this.#key}` },
        signal: AbortSignal.timeout(LONGEST_REQUEST),
      });
      await response.body?.cancel();
      if (response.status === 404) unknown.push(path);
      else if (response.status !== 200) failed.push(path);
    });
    if (failed.length > 0) throw new Error(`could not delete ${failed.join(", ")}`);
    return unknown;
  }
}

/** Works on all items, so many at a time. */
export async function inLanes<T>(lanes: number, items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const next = items.values();
  const lane = async () => {
    for (const item of next) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
