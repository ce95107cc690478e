/**
 * The original's vector stores. The recordings have no forms: each file is made again from what the answer says about it. Then the
 * answers are compared, with our ids and times in the place of theirs. Where the original's work is seen half done, ours may be
 * further.
 */
import { afterAll, expect, test, vi } from "vitest";
import { newTenant, type Tenant } from "../e2e/harness.ts";
import { at, isObject, type Json, listAt, textAt } from "./json.ts";
import { type Exchange, RECORDINGS, readRecordings } from "./recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

const recordings = readRecordings("openai-dotnet/VectorStoresTests");
let replayed = 0;

if (recordings.length === 0) {
  console.log(`No recordings of vector stores are replayed: there are none in ${RECORDINGS}.`);
  test.skip("the original's vector stores", () => {});
}

test.each(recordings)("the original's client gets the original's answers: $name", async (recording) => {
  const replay = new Replay(newTenant());
  for (const exchange of recording.exchanges) {
    await replay.compare(exchange);
    replayed += 1;
  }
});

afterAll(() => console.log(`Recordings of vector stores: ${replayed} replayed, all equal.`));

/** Prefixes longer than others come first. */
const IDS = /(?:file-|vsfb_(?:ibj_)?|vs_)[0-9A-Za-z]{8,}/g;

class Replay {
  readonly #tenant: Tenant;
  /** from their cursors in lists without an order to ours */
  readonly #places = new Map<string, string>();
  /** from their ids to ours */
  readonly #ids = new Map<string, string>();

  constructor(tenant: Tenant) {
    this.#tenant = tenant;
  }

  async compare(exchange: Exchange): Promise<void> {
    const { method, target, answer } = exchange;
    const path = this.#ours(
      target.replace(/(after|before)=([\w-]+)/, (_, name, id) => `${name}=${this.#places.get(id) ?? id}`),
    );
    const response = await this.#tenant.fetch(this.#tenant.openai.baseURL + path, {
      method,
      ...this.#request(exchange),
    });
    const ours = (await response.json()) as Json;
    const [theirId, ourId] = [textAt(answer.json, "id"), textAt(ours, "id")];
    if (theirId !== undefined && ourId !== undefined) this.#ids.set(theirId, ourId);
    const isOfBatch = target.includes("/file_batches/");
    if (isOfBatch) this.#takePlaces(answer.json, ours);
    // Batches of this form ignored what was asked for (docs/contract.md, "File batches").
    if (target.includes("/vsfb_ibj_") && target.includes("/files")) return;
    const theirs = JSON.parse(this.#ours(JSON.stringify(answer.json))) as Json;
    // The original gave the files of a batch in no order; so each page has as many, and not the same ones.
    const leftOut = isOfBatch ? [...PROGRESS, ...OF_WAITING, "id", "first_id", "last_id"] : PROGRESS;
    expect({ target, status: response.status, body: plain(common(ours, theirs), leftOut) }).toEqual({
      target,
      status: answer.status,
      body: plain(isOfBatch ? theirs : common(theirs, ours), leftOut),
    });
  }

  /** The next page begins where this one ends. */
  #takePlaces(theirs: Json, ours: Json): void {
    for (const name of ["first_id", "last_id"]) {
      const [their, our] = [textAt(theirs, name), textAt(ours, name)];
      if (their !== undefined && our !== undefined) this.#places.set(their, our);
    }
  }

  #ours = (text: string) => text.replaceAll(IDS, (id) => this.#ids.get(id) ?? id);

  #request({ method, target, body, answer }: Exchange): RequestInit {
    const authorization = `Bearer ${this.#tenant.key}`;
    if (target === "/files" && method === "POST") {
      const form = new FormData();
      const bytes = Number(at(answer.json, "bytes") ?? 1);
      form.set("file", new File(["x".repeat(bytes)], textAt(answer.json, "filename") ?? ""));
      form.set("purpose", textAt(answer.json, "purpose") ?? "");
      return { headers: { authorization }, body: form };
    }
    if (method !== "POST") return { headers: { authorization } };
    return {
      headers: { authorization, "content-type": "application/json" },
      body: this.#ours(JSON.stringify(body ?? {})),
    };
  }
}

/** Of a list, what is in the other one as well: the original's had older objects, and not yet the newest. */
function common(list: Json, other: Json): Json {
  if (!isObject(list) || !Array.isArray(list.data) || textAt(list.data[0], "object") !== "vector_store") return list;
  const ids = new Set(listAt(other, "data").map((each) => textAt(each, "id")));
  const data = list.data.filter((each) => ids.has(textAt(each, "id")));
  return { ...list, data, first_id: null, last_id: null, has_more: false };
}

/** What says how far the work is, which goes on by itself; and times. */
const PROGRESS = ["usage_bytes", "status", "file_counts", "last_active_at", "expires_at", "created_at", "last_error"];
/** What the original left out of files that waited in a batch. */
const OF_WAITING = ["chunking_strategy", "attributes"];
/** Not in all of the original's answers. */
const NEWER = ["description", "detail", "status_details"];

function plain(json: Json, leftOut: string[]): unknown {
  if (Array.isArray(json)) return json.map((each) => plain(each, leftOut));
  if (json === null || typeof json !== "object") return json;
  const rest = Object.entries(json).filter(([name]) => !leftOut.includes(name) && !NEWER.includes(name));
  return Object.fromEntries(rest.map(([name, value]) => [name, plain(value, leftOut)]));
}
