/**
 * Replays what a client of the original service sent, and compares what comes back with what the original answered. The
 * recordings are not part of this project.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { PROJECT } from "../e2e/build.ts";
import type { Tenant } from "../e2e/harness.ts";

export const RECORDINGS = path.join(path.dirname(PROJECT), "shared/contract/recordings/openai-dotnet/AssistantsTests");

interface Exchange {
  RequestMethod: string;
  RequestUri: string;
  RequestBody: unknown;
  StatusCode: number;
  /** An object, or the text of a stream. */
  ResponseBody: unknown;
}

export interface Recording {
  name: string;
  exchanges: Exchange[];
}

export function readRecordings(): Recording[] {
  if (!existsSync(RECORDINGS)) return [];
  return readdirSync(RECORDINGS)
    .filter((file) => file.endsWith(".json"))
    .map((file) => {
      const { Entries } = JSON.parse(readFileSync(path.join(RECORDINGS, file), "utf8"));
      return { name: path.basename(file, ".json"), exchanges: Entries };
    });
}

export const needsFiles = ({ exchanges }: Recording) =>
  exchanges.some(({ RequestUri }) => RequestUri.includes("/files"));

/** The requests up to the first run: what comes after that depends on the words of a model. */
export function untilFirstRun({ exchanges }: Recording): Exchange[] {
  const run = exchanges.findIndex(({ RequestUri }) => new URL(RequestUri).pathname.endsWith("/runs"));
  if (run === -1) return exchanges;
  const isJson = typeof exchanges[run]?.ResponseBody === "object" && !Array.isArray(exchanges[run]?.ResponseBody);
  return exchanges.slice(0, isJson ? run + 1 : run);
}

/** One replay: the ids of the recording, and what they are called here. */
export class Replay {
  readonly #tenant: Tenant;
  readonly #ids = new Map<string, string>();

  constructor(tenant: Tenant) {
    this.#tenant = tenant;
  }

  /** Sends the request of an exchange, and expects the recorded status and all of the recorded fields. */
  async step({ RequestMethod, RequestUri, RequestBody, StatusCode, ResponseBody }: Exchange): Promise<void> {
    const url = new URL(RequestUri);
    const target = this.#translate(url.pathname.replace(/^\/v1/, "") + url.search);
    const body = RequestBody === null ? undefined : this.#translate(JSON.stringify(RequestBody));
    const answer = await this.#tenant.send(RequestMethod, target, body);
    const recorded = RequestMethod === "GET" ? withoutStrangers(ResponseBody, this.#ids) : ResponseBody;
    this.#learn(recorded, answer.body);
    expect({ target, status: answer.status, body: answer.body }).toMatchObject({
      target,
      status: StatusCode,
      body: timeless(JSON.parse(this.#translate(JSON.stringify(recorded)))),
    });
  }

  #translate(text: string): string {
    return text.replace(ID, (id) => this.#ids.get(id) ?? id);
  }

  /** Ids stand in the same places of both answers. */
  #learn(recorded: unknown, here: unknown): void {
    if (typeof recorded === "string" && typeof here === "string") {
      if (recorded.match(ID)?.[0] === recorded && !this.#ids.has(recorded)) this.#ids.set(recorded, here);
    } else if (isObject(recorded) && isObject(here)) {
      for (const [name, value] of Object.entries(recorded)) this.#learn(value, here[name]);
    }
  }
}

const ID = /(?:asst|thread|msg|run|step)_[A-Za-z0-9]{24}/g;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** The original's account had assistants of other tests, so its lists had more of them; here the tenant has its own. */
function withoutStrangers(body: unknown, known: Map<string, string>): unknown {
  if (!isObject(body) || !Array.isArray(body.data) || body.data[0]?.object !== "assistant") return body;
  return { object: body.object, data: body.data.filter(({ id }) => known.has(id)) };
}

/** Times differ; so does what contract section 9 says that we do otherwise. */
function timeless(value: unknown, key = ""): unknown {
  if (typeof value === "number" && key.endsWith("_at")) return expect.any(Number);
  if (Array.isArray(value)) return value.map((item) => timeless(item));
  if (!isObject(value)) return value;
  const fields = Object.entries(value).filter(([name, field]) => !isLeftover(name, field));
  return Object.fromEntries(fields.map(([name, field]) => [name, timeless(field, name)]));
}

/** Version 1's `file_ids` on a modified message (row 7), and the empty code interpreter of a thread (section 2.2). */
function isLeftover(name: string, field: unknown): boolean {
  if (name === "file_ids") return Array.isArray(field) && field.length === 0;
  return name === "code_interpreter" && JSON.stringify(field) === '{"file_ids":[]}';
}
