/** Forms that no client would send: thousands of them get an answer that blames the client, or make a whole file. */
import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { newTenant, type Tenant, until } from "../harness.ts";

const CASES = Number(process.env.BAD_FORMS ?? 2_000);
const LANES = 8;

const name = fc.oneof(
  fc.constantFrom(
    "file",
    "purpose",
    "expires_after[anchor]",
    "expires_after[seconds]",
    "expires_after",
    "__proto__",
    "",
  ),
  fc.string({ maxLength: 200 }),
);
const filename = fc.oneof(
  fc.constantFrom(
    "a.txt",
    "../../etc/passwd",
    "a.PDF",
    ".",
    "..",
    "",
    "a\u0000b.txt",
    "x".repeat(600),
    "=?utf-8?B?!!?=.txt",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const value = fc.oneof(
  fc.constantFrom(
    "assistants",
    "vision",
    "batch",
    "created_at",
    "3600",
    "-1",
    "1e400",
    "{}",
    "null",
    "x".repeat(2_000),
  ),
  fc.string({ unit: "binary", maxLength: 3_000 }),
);
const header = fc
  .record({ name, filename: fc.option(filename, { nil: undefined }) })
  .map(
    (part) =>
      `Content-Disposition: form-data; name="${part.name}"` +
      (part.filename === undefined ? "" : `; filename="${part.filename}"`),
  );
const part = fc.record({
  header: fc.oneof(
    { weight: 4, arbitrary: header },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 300 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("", "Content-Type: multipart/mixed; boundary=y", "X: ".padEnd(20_000, "y")),
    },
  ),
  value,
});
const PURPOSE = { header: 'Content-Disposition: form-data; name="purpose"', value: "assistants" };
const FILE = { header: 'Content-Disposition: form-data; name="file"; filename="a.txt"', value: "Hello" };
const form = fc.record({
  type: fc.oneof(
    { weight: 8, arbitrary: fc.constant("multipart/form-data; boundary=x") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="x',
        "multipart/mixed; boundary=x",
        `multipart/form-data; boundary=${"y".repeat(300)}`,
        "text/plain",
      ),
    },
  ),
  parts: fc.array(fc.oneof(part, fc.constantFrom(PURPOSE, FILE)), { maxLength: 20 }),
  end: fc.constantFrom("--x--\r\n", "--x--", "", "--x\r\n", "--x--\r\nand more"),
  /** what is cut from the end, as a share of it */
  cut: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  ),
  path: fc.constantFrom("/v1/files", "/v1/files", "/v1/uploads/UPLOAD/parts"),
});
type Form = typeof form extends fc.Arbitrary<infer Value> ? Value : never;

test(`${CASES} generated forms get no 5xx, and what they make is whole`, { timeout: 300_000 }, async () => {
  const tenant = newTenant();
  const { openai } = tenant;
  const upload = await openai.uploads.create({ filename: "a", purpose: "user_data", bytes: 1, mime_type: "x" });
  const seed = Number(process.env.BAD_FORMS_SEED ?? Date.now() % 1_000_000);
  const cases = fc.sample(form, { numRuns: CASES, seed });
  const wrong: unknown[] = [];
  const statuses = new Map<number, number>();
  let made = 0;
  const lane = async () => {
    for (let next = cases.pop(); next !== undefined; next = cases.pop()) {
      const status = await sent(tenant, upload.id, next).catch((error: unknown) => String(error));
      if (typeof status === "number") statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 200 && next.path === "/v1/files") made += 1;
      if (typeof status !== "number" || status >= 500) wrong.push({ seed, status, form: next });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(wrong.slice(0, 3)).toEqual([]);
  console.log(
    `Bad forms of seed ${seed}: ${[...statuses].map(([status, count]) => `${count} got ${status}`).join(", ")}`,
  );
  expect(statuses.get(200)).toBeGreaterThan(0);
  expect(statuses.get(400)).toBeGreaterThan(CASES / 2);
  const files = await openai.files.list();
  // What was refused has left nothing.
  expect(files.data.length).toBe(made);
  for (const { id, bytes } of files.data.slice(0, 50)) {
    expect((await (await openai.files.content(id)).arrayBuffer()).byteLength).toBe(bytes);
  }
  // Nothing is held any more.
  await until(async () => (await openai.files.list()).data.length === files.data.length);
});

async function sent({ key }: Tenant, upload: string, { type, parts, end, cut, path }: Form): Promise<number> {
  const text = parts.map((each) => `--x\r\n${each.header}\r\n\r\n${each.value}\r\n`).join("") + end;
  const body = Buffer.from(text);
  const response = await fetch(inject("stack").origin + path.replace("UPLOAD", upload), {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": type },
    body: body.subarray(0, Math.ceil(body.length * (1 - cut))),
  });
  const answer: unknown = await response.json();
  const isKnown = response.ok || (answer instanceof Object && "error" in answer);
  if (!isKnown) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
  return response.status;
}
