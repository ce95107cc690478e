/** What all sequences share: a tenant with its assistants, and a look into the store. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Container } from "@azure/cosmos";
import type { Answer, Tenant } from "../harness.ts";
import { ask, RunReader } from "./run-reader.ts";

export class World {
  readonly tenant: Tenant;
  /** assistants' ids */
  readonly instructed: string;
  readonly uninstructed: string;
  readonly #threads: Container;
  /** the calls of one sequence, with their answers */
  readonly trace: string[] = [];

  constructor(tenant: Tenant, assistants: { instructed: string; uninstructed: string }, threads: Container) {
    this.tenant = tenant;
    this.instructed = assistants.instructed;
    this.uninstructed = assistants.uninstructed;
    this.#threads = threads;
  }

  /** The same, for another sequence. */
  fresh(): World {
    return new World(this.tenant, this, this.#threads);
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.tenant.send(method, path, body);
    this.#note(`${method} ${path}`, body, answer);
    return answer;
  }

  #note(what: string, body: unknown, answer: Answer): void {
    const line = `${what} ${shown(body)} -> ${answer.status} ${shown(answer.body)}`;
    // Looked at again and again.
    if (line !== this.trace.at(-1)) this.trace.push(line);
  }

  /** A call whose answer may be a stream: that is then read in the background. */
  async callStream(path: string, body: unknown, leaveAfter: number | null) {
    const stop = new AbortController();
    const response = await ask(this.tenant, "POST", path, body, stop.signal);
    const { status, headers } = response;
    if (headers.get("content-type")?.startsWith("text/event-stream") === true) {
      this.#note(`POST ${path}`, body, { status, headers, body: "a stream" });
      return { answer: { status, headers, body: undefined }, reader: RunReader.of(response, stop, leaveAfter) };
    }
    const answer: Answer = { status, headers, body: await response.json() };
    this.#note(`POST ${path}`, body, answer);
    return { answer, reader: undefined };
  }

  /** How many documents the store has in a thread's partition. */
  async documentsOf(threadId: string): Promise<number> {
    const { tenant } = this.tenant;
    const query = this.#threads.items.query<number>("SELECT VALUE COUNT(1) FROM c", {
      partitionKey: `${tenant}:${threadId}`,
    });
    return (await query.fetchAll()).resources[0] ?? 0;
  }
}

/** What nothing holds up must have happened within this time. Milliseconds. */
const PATIENCE = 45_000;
const LONGEST_PAUSE = 250;

/** Waits for something, and looks seldom enough that many sequences at a time do not keep the app busy with it. */
export async function patiently(isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE;
  for (let pause = 20; !(await isSo()); pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    if (Date.now() > end) throw new Error(`It has not come to that within ${PATIENCE / 1000} s.`);
    await sleep(pause);
  }
}

/** The beginning, and of an object also its status. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  const status = /"status":"\w+"/.exec(text)?.[0] ?? "";
  return text.length > 160 ? `${text.slice(0, 160)}… ${status}` : text;
}
