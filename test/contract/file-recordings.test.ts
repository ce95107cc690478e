/**
 * The original's files and uploads. The recordings have no forms, so each is made again from what the answer says about its
 * file, as .NET's client writes it; then the answers are compared, with our ids and times in the place of theirs.
 */
import { afterAll, expect, test } from "vitest";
import { newTenant, type Tenant } from "../e2e/harness.ts";
import { at, type Json, textAt } from "./json.ts";
import { type Exchange, RECORDINGS, type Recording, readRecordings } from "./recordings.ts";

const recordings = ["FilesTests", "UploadsTests"].flatMap((group) => readRecordings(`openai-dotnet/${group}`));
let replayed = 0;

if (recordings.length === 0) {
  console.log(`No recordings of files are replayed: there are none in ${RECORDINGS}.`);
  test.skip("the original's files", () => {});
}

test.each(recordings)("the original's client gets the original's answers: $name", async (recording) => {
  const replay = new Replay(recording, newTenant());
  for (const exchange of recording.exchanges) {
    await replay.compare(exchange);
    replayed += 1;
  }
});

afterAll(() => console.log(`Recordings of files and uploads: ${replayed} replayed, all equal.`));

const BOUNDARY = "4LFnphESb_LyEAUITdRwGdnjWMboSDFtGUIuZzVBqQc32GFDrhYGSJWzQ1vAUaozERJQ=h";

class Replay {
  readonly #tenant: Tenant;
  /** from their ids to ours */
  readonly #ids = new Map<string, string>();
  readonly #parts: string[] = [];
  /** what the upload's parts are to hold */
  readonly #rest: number[];

  constructor({ exchanges }: Recording, tenant: Tenant) {
    this.#tenant = tenant;
    const total = Number(at(exchanges[0]?.answer.json, "bytes") ?? 0);
    const parts = exchanges.filter(({ target }) => target.endsWith("/parts")).length;
    this.#rest = Array.from({ length: parts }, (_, index) => (index === 0 ? total - parts + 1 : 1));
  }

  async compare(exchange: Exchange): Promise<void> {
    const { method, target, answer } = exchange;
    const path = target.replaceAll(/(?:file-|upload_)[0-9A-Za-z]{8,}/g, (id) => this.#ids.get(id) ?? id);
    const response = await this.#tenant.fetch(this.#tenant.openai.baseURL + path, {
      method,
      ...this.#request(exchange),
    });
    const ours = (await response.json()) as Json;
    this.#learn(answer.json, ours);
    expect({ status: response.status, body: plain(ours) }).toEqual({
      status: answer.status,
      body: plain(translated(answer.json, this.#ids)),
    });
  }

  /** Theirs may be called otherwise: only what was created here is listed here. */
  #learn(theirs: Json, ours: Json): void {
    const [id, our] = [textAt(theirs, "id"), textAt(ours, "id")];
    if (id !== undefined && our !== undefined) this.#ids.set(id, our);
    if (id?.startsWith("part_") && our !== undefined) this.#parts.push(our);
    const file = at(theirs, "file");
    if (file !== undefined) this.#learn(file, at(ours, "file") ?? null);
  }

  #request({ method, target, body, answer }: Exchange): RequestInit {
    const authorization = `Bearer ${this.#tenant.key}`;
    if (method !== "POST" || target.endsWith("/cancel")) return { headers: { authorization } };
    if (target === "/files") return form(authorization, fileForm(answer.json));
    if (target.endsWith("/parts"))
      return form(authorization, [part("data", "x".repeat(this.#rest.shift() ?? 0), "data")]);
    const json = target.endsWith("/complete") ? { part_ids: this.#parts } : (body ?? uploadOf(answer.json));
    return { headers: { authorization, "content-type": "application/json" }, body: JSON.stringify(json) };
  }
}

/** The refused one names a purpose that its answer repeats. */
function fileForm(answer: Json): string[] {
  const refused = /^'(\w+)' is not one of/.exec(textAt(at(answer, "error") ?? null, "message") ?? "")?.[1];
  const filename = textAt(answer, "filename") ?? "refused.txt";
  const purpose = textAt(answer, "purpose") ?? refused ?? "";
  return [part("purpose", purpose), part("file", "x".repeat(Number(at(answer, "bytes") ?? 1)), filename)];
}

const uploadOf = (answer: Json) => ({
  filename: textAt(answer, "filename"),
  purpose: textAt(answer, "purpose"),
  bytes: at(answer, "bytes"),
  mime_type: "text/jsonl",
});

function part(name: string, value: string, filename?: string): string {
  const encoded = encodeURIComponent(filename ?? "");
  const quoted = `"=?utf-8?B?${Buffer.from(filename ?? "").toString("base64")}?="`;
  const named = filename === undefined ? "" : `; filename=${quoted}; filename*=utf-8''${encoded}`;
  return `Content-Disposition: form-data; name=${name}${named}\r\n\r\n${value}`;
}

const form = (authorization: string, parts: string[]): RequestInit => ({
  headers: { authorization, "content-type": `multipart/form-data; boundary="${BOUNDARY}"` },
  body: `${parts.map((each) => `--${BOUNDARY}\r\n${each}\r\n`).join("")}--${BOUNDARY}--\r\n`,
});

const translated = (json: Json, ids: Map<string, string>): Json =>
  JSON.parse(JSON.stringify(json).replaceAll(/(?:file-|upload_|part_)[0-9A-Za-z]{8,}/g, (id) => ids.get(id) ?? id));

/** Without what cannot be equal: times but for their distances, the key `detail` that only some answers had, older files. */
function plain(json: Json): unknown {
  if (Array.isArray(json)) return json.map(plain);
  if (json === null || typeof json !== "object") return json;
  const { created_at: created, expires_at: expires, detail: _, data, last_id: __, ...rest } = json;
  return {
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, plain(value)])),
    ...(created === undefined ? {} : { lifetime: typeof expires === "number" ? expires - Number(created) : null }),
    ...(Array.isArray(data) ? { data: data.slice(0, 2).map(plain) } : {}),
  };
}
