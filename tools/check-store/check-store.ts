/** Walks through all threads of a store, one at a time, and reports every rule that one of them breaks. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, SqlQuerySpec } from "@azure/cosmos";
import type { RunStatus } from "../../src/resources/run.ts";
import type { Doc } from "../../src/store/documents.ts";
import type { CheckOptions } from "./rule.ts";
import { ThreadSnapshot } from "./snapshot.ts";
import { checkThread, type Violation } from "./thread.ts";

export interface Report {
  threads: number;
  documents: number;
  /** threads that only a newer build can check: of these, only the lock and what is due were */
  newer: number;
  /** by status */
  runs: Partial<Record<RunStatus, number>>;
  violations: Violation[];
}

export type StoreCheck = Omit<CheckOptions, "now"> & {
  /** milliseconds since 1970; by default the clock's */
  now?: () => number;
  /** how long to wait before a thread with something wrong is looked at again, in milliseconds */
  pause?: number;
};

/** Documents a page of a query. */
const PAGE = 1_000;

/** How many keys of checked threads are remembered, so that their runs need no query for the thread. */
const MAX_KNOWN = 200_000;

/**
 * How often a thread with violations is read. It is read page by page and may change meanwhile, so only a violation
 * that each reading shows is reported.
 */
const LOOKS = 3;
/** Milliseconds. */
const PAUSE = 300;

/** How threads and marks of deleted ones are found, by indexed fields. Older builds' marks have a due time, no sort. */
const LISTED = [
  "c.internal.sort > 'thread/' AND c.internal.sort < 'thread/~'",
  "c.internal.sort > 'deleted/' AND c.internal.sort < 'deleted/~' AND c.kind = 'deleted_thread'",
  "c.internal.due > 0 AND c.kind = 'deleted_thread'",
];

/** Reads the whole container `threads`. Memory: one thread, and the keys of a bounded number of threads. */
export async function checkStore(container: Container, check: StoreCheck): Promise<Report> {
  const walk = new Walk(container, check);
  await walk.threads();
  await walk.strays();
  await walk.misplaced();
  return walk.report;
}

class Walk {
  readonly report: Report = { threads: 0, documents: 0, newer: 0, runs: {}, violations: [] };
  readonly #container: Container;
  readonly #check: StoreCheck;
  readonly #known = new Set<string>();

  constructor(container: Container, check: StoreCheck) {
    this.#container = container;
    this.#check = check;
  }

  /** Every partition that holds a thread, or the mark that a deleted one left. */
  async threads(): Promise<void> {
    for (const condition of LISTED) {
      for await (const pk of this.#keys(`SELECT VALUE c.pk FROM c WHERE ${condition}`)) await this.#partition(pk);
    }
  }

  /** Documents with a partition key that is no text, or with none: no request ever asks for such a partition. */
  async misplaced(): Promise<void> {
    const query = "SELECT c.id, c.pk FROM c WHERE NOT IS_STRING(c.pk)";
    for await (const page of this.#pages<{ id: string; pk?: unknown }>({ query })) {
      for (const { id, pk } of page) {
        const key = JSON.stringify(pk) ?? "none";
        this.report.documents += 1;
        this.report.violations.push({ rule: "place", pk: key, id, detail: "lies outside every thread" });
      }
    }
  }

  /** Partitions whose thread is missing: no request finds what they hold, and nothing ever deletes it. */
  async strays(): Promise<void> {
    for await (const pk of this.#keys("SELECT VALUE c.pk FROM c")) {
      if (!this.#known.has(pk) && !(await this.#hasThread(pk))) await this.#partition(pk);
    }
  }

  async #partition(pk: string): Promise<void> {
    if (this.#known.has(pk)) return;
    if (this.#known.size < MAX_KNOWN) this.#known.add(pk);
    let thread = await this.#read(pk);
    let violations = this.#violationsOf(thread);
    for (let look = 1; look < LOOKS && violations.length > 0; look++) {
      await sleep(this.#check.pause ?? PAUSE);
      thread = await this.#read(pk);
      const again = new Set(this.#violationsOf(thread).map(identity));
      violations = violations.filter((violation) => again.has(identity(violation)));
    }
    this.report.violations.push(...violations);
    this.#count(thread);
  }

  #violationsOf(thread: ThreadSnapshot): Violation[] {
    // Deleted since it was listed.
    if (isEmpty(thread)) return [];
    return checkThread(thread, { ...this.#check, now: (this.#check.now ?? Date.now)() });
  }

  #count(thread: ThreadSnapshot): void {
    const { threads, runs, messages, steps, chunks } = thread;
    this.report.threads += 1;
    if (thread.isNewer) this.report.newer += 1;
    this.report.documents += threads.length + runs.length + messages.length + steps.length + chunks.length;
    for (const { status } of runs) this.report.runs[status] = (this.report.runs[status] ?? 0) + 1;
  }

  async #read(pk: string): Promise<ThreadSnapshot> {
    const docs: Doc[] = [];
    for await (const page of this.#pages<Doc>({ query: "SELECT * FROM c" }, pk)) docs.push(...page);
    return new ThreadSnapshot(pk, docs);
  }

  async #hasThread(pk: string): Promise<boolean> {
    // A query, because an id may hold what a read refuses.
    const isListed = LISTED.map((condition) => `(${condition})`).join(" OR ");
    const query = `SELECT VALUE c.id FROM c WHERE c.id = @id AND (${isListed})`;
    const parameters = [{ name: "@id", value: pk.slice(pk.indexOf(":") + 1) }];
    for await (const found of this.#pages<string>({ query, parameters }, pk)) if (found.length > 0) return true;
    return false;
  }

  async *#keys(query: string): AsyncGenerator<string> {
    for await (const page of this.#pages<unknown>({ query })) {
      for (const pk of new Set(page)) if (typeof pk === "string") yield pk;
    }
  }

  async *#pages<T>(query: SqlQuerySpec, partitionKey?: string): AsyncGenerator<T[]> {
    const options = { maxItemCount: PAGE, ...(partitionKey === undefined ? {} : { partitionKey }) };
    for await (const page of this.#container.items.query<T>(query, options).getAsyncIterator()) yield page.resources;
  }
}

const isEmpty = ({ threads, marks, runs, messages, steps, chunks, strangers, unreadable }: ThreadSnapshot) =>
  [threads, marks, runs, messages, steps, chunks, strangers, unreadable].every((docs) => docs.length === 0);

/** Without the detail, in which times go by. */
const identity = ({ rule, id }: Violation) => `${rule} ${id}`;
