/** What one sequence works with: a tenant, what it knows, its dice, and a look into the store. */
import type { Container } from "@azure/cosmos";
import { expect } from "vitest";
import { randomNumbers } from "../../../local/random.ts";
import type { FileCounts } from "../../../src/resources/vector-store.ts";
import { type Answer, send, type Tenant } from "../harness.ts";
import type { KnownBatch, KnownFile, KnownStore, KnownUpload, Refusal } from "./model.ts";

/** As the clients' libraries have it. */
const MOST_REPETITIONS = 2;

export class FilesWorld {
  readonly tenant: Tenant;
  readonly random: () => number;
  readonly trace: string[] = [];
  readonly files: KnownFile[] = [];
  readonly uploads: KnownUpload[] = [];
  readonly stores: KnownStore[] = [];
  readonly batches: KnownBatch[] = [];
  readonly #stored: Container;
  /** requests that were sent once more, as a client's library does: Blob Storage was in trouble */
  repeated = 0;
  /** makes every name, text and order another */
  #count = 0;

  constructor(tenant: Tenant, stored: Container, seed: number) {
    this.tenant = tenant;
    this.#stored = stored;
    this.random = randomNumbers(seed);
  }

  next(): number {
    return ++this.#count;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  pick<T>(all: readonly T[]): T | undefined {
    return all[Math.floor(this.random() * all.length)];
  }

  /** Some of them, each once. */
  some<T>(all: readonly T[], most: number): T[] {
    const order = all.map((each) => ({ each, key: this.random() })).toSorted((a, b) => a.key - b.key);
    return order.slice(0, Math.floor(this.random() * (most + 1))).map(({ each }) => each);
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.#answered(() => this.tenant.send(method, path, body));
    this.#note(method, path, body, answer.status, answer.body);
    return answer;
  }

  async form(path: string, form: FormData): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.tenant.key}` };
    const answer = await this.#answered(() => send(`/v1${path}`, { method: "POST", headers, body: form }));
    this.#note("POST", path, [...form.keys()], answer.status, answer.body);
    return answer;
  }

  async content(path: string): Promise<{ status: number; text: string }> {
    const headers = { authorization: `Bearer ${this.tenant.key}` };
    const url = new URL(this.tenant.openai.baseURL + path);
    const response = await this.#answered(() => this.tenant.fetch(url, { headers }));
    const text = await response.text();
    this.#note("GET", path, undefined, response.status, text);
    return { status: response.status, text };
  }

  /** On a busy machine Azurite may be slower than the app waits; a request that was answered so did nothing. */
  async #answered<T extends { status: number; headers: Headers }>(ask: () => Promise<T>): Promise<T> {
    for (let left = MOST_REPETITIONS; ; left--) {
      const answer = await ask();
      const pause = Number(answer.headers.get("retry-after-ms"));
      if (answer.status !== 503 || pause === 0 || left === 0) return answer;
      this.repeated += 1;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #note(method: string, path: string, body: unknown, status: number, answer: unknown): void {
    const shown = (value: unknown) => (JSON.stringify(value) ?? "").slice(0, 400);
    const line = `${method} ${path} ${shown(body)} -> ${status} ${shown(answer)}`;
    if (line !== this.trace.at(-1)) this.trace.push(line);
  }

  /** The store's counts, and how many documents there are of each status: both of one moment. */
  async stored({ id }: KnownStore): Promise<{ counts: FileCounts | undefined; documents: FileCounts }> {
    const query = "SELECT c.kind, c.status, c.file_counts FROM c WHERE c.kind IN ('vector_store', 'vector_store_file')";
    const partitionKey = `${this.tenant.tenant}:${id}`;
    const { resources } = await this.#stored.items.query<Stored>(query, { partitionKey }).fetchAll();
    const documents: FileCounts = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
    for (const { kind, status } of resources) {
      if (kind !== "vector_store_file" || status === undefined) continue;
      documents[status] += 1;
      documents.total += 1;
    }
    return { counts: resources.find(({ kind }) => kind === "vector_store")?.file_counts, documents };
  }
}

interface Stored {
  kind: string;
  status?: "in_progress" | "completed" | "failed" | "cancelled";
  file_counts?: FileCounts;
}

export function expectRefused({ status, body }: Answer, expected: Refusal): void {
  const { status: wanted, message, param, code } = expected;
  const text = typeof message === "string" ? message : expect.stringMatching(message);
  const error = { message: text, type: "invalid_request_error", param, code };
  expect({ status, body }).toEqual({ status: wanted, body: { error } });
}

/** The object of an answer that must be one. */
export function expectTaken<T>({ status, body }: Answer): T {
  expect({ status, body }).toMatchObject({ status: 200 });
  return body as T;
}
