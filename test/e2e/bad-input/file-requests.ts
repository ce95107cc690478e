/**
 * Requests about files, uploads, vector stores, batches and searches as a confused client might send them: right
 * operations with ids, values and queries that are right in themselves, of the wrong object, or nothing at all.
 */
import fc from "fast-check";
import type { Operation } from "../../../src/api/operation.ts";
import { operations } from "../../../src/api/operations/index.ts";
import type { FilesFixture } from "./files-fixture.ts";
import { randomBody } from "./random.ts";
import { schemaOf } from "./schema.ts";
import type { Raw } from "./wire.ts";

export const fileOperations = operations.filter(({ path }) => /^(files|uploads|vector_stores)/.test(path));

/** Of all that a fixture knows; one of another tenant; and what no id is. */
function anyId({ ids, others }: FilesFixture): fc.Arbitrary<string> {
  const known = Object.values(ids);
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...known) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("", "foo", "file-", "vs_", "__proto__", "vs_x\n", "x".repeat(200), "../.."),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  );
}

const STRATEGIES: unknown[] = [
  { type: "auto" },
  { type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 401 } },
  { type: "static", static: { max_chunk_size_tokens: 99, chunk_overlap_tokens: 0 } },
  { type: "static", static: { max_chunk_size_tokens: 4096, chunk_overlap_tokens: 2048 } },
  { type: "static", static: { max_chunk_size_tokens: 1e300, chunk_overlap_tokens: -1 } },
  { type: "static" },
  { type: "other" },
  null,
];

const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    1e308,
    -1.5,
    true,
    false,
    null,
    "",
    "x",
    "x".repeat(600),
    "\u0000",
    "\ud800",
    [],
    {},
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);

const attributes = fc.oneof(
  fc.dictionary(fc.string({ unit: "binary", maxLength: 70 }), scalar, { maxKeys: 18 }),
  fc.constantFrom<unknown>(null, [], { __proto__: 1 }, { "a.b": 1, 'a"]': 2, "a\\": 3 }, { "": 1 }),
);

const comparison = fc.record({
  type: fc.constantFrom("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "like"),
  key: fc.oneof(fc.constantFrom("n", 'a"]', "a\\", "__proto__", "", "x".repeat(65)), fc.string({ unit: "binary" })),
  value: fc.oneof(scalar, fc.array(scalar, { maxLength: 120 })),
});

const filters = fc.letrec((tie) => ({
  filter: fc.oneof(
    { maxDepth: 7, withCrossShrink: true },
    comparison,
    fc.record({ type: fc.constantFrom("and", "or", "not"), filters: fc.array(tie("filter"), { maxLength: 4 }) }),
  ),
})).filter;

const number = fc.constantFrom<unknown>(-1, 0, 1, 50, 51, 1.5, 1e308, "1", null);

/** What a client may put at a name, whatever the operation. */
function valuesOf(fixture: FilesFixture): Record<string, fc.Arbitrary<unknown>> {
  const id = anyId(fixture);
  return {
    file_id: id,
    file_ids: fc.array(id, { maxLength: 8 }),
    files: fc.array(fc.record({ file_id: id, attributes }, { requiredKeys: ["file_id"] }), { maxLength: 4 }),
    part_ids: fc.array(id, { maxLength: 4 }),
    md5: fc.constantFrom("", "x", "d41d8cd98f00b204e9800998ecf8427e", "é".repeat(64)),
    name: scalar,
    description: scalar,
    metadata: attributes,
    attributes,
    chunking_strategy: fc.constantFrom(...STRATEGIES),
    expires_after: fc.constantFrom<unknown>(
      { anchor: "last_active_at", days: 1 },
      { anchor: "last_active_at", days: 366 },
      { anchor: "created_at", days: 1 },
      { anchor: "created_at", seconds: 3600 },
      { anchor: "created_at", seconds: 1 },
      null,
    ),
    query: fc.oneof(scalar, fc.array(scalar, { maxLength: 12 }), fc.constant("the"), fc.constant("?".repeat(10_001))),
    filters,
    max_num_results: number,
    rewrite_query: scalar,
    ranking_options: fc.record(
      {
        ranker: fc.constantFrom("none", "auto", "default-2024-11-15", "best"),
        score_threshold: number,
        hybrid_search: fc.record({ embedding_weight: number, text_weight: number }),
      },
      { requiredKeys: [] },
    ),
    filename: fc.constantFrom(
      "a.txt",
      "a",
      "../a.txt",
      "a.exe",
      "",
      "\u0000.txt",
      "x".repeat(600),
      "😀.md",
      "\ud800.txt",
    ),
    purpose: fc.constantFrom("assistants", "vision", "batch", "user_data", "nothing", ""),
    bytes: fc.constantFrom<unknown>(-1, 0, 1, 5, 8_589_934_592, 8_589_934_593, 1e308, 1.5),
    mime_type: fc.constantFrom("text/plain", "", "x".repeat(300)),
  };
}

/**
 * Names at the top of a body that the operation takes, each with a value or not; and now and then one that it does
 * not.
 */
function confused(operation: Operation, fixture: FilesFixture): fc.Arbitrary<string> {
  const values = valuesOf(fixture);
  const { properties = {} } = schemaOf(operation.body ?? fail());
  const own = Object.keys(properties).filter((name) => name in values);
  const foreign = Object.keys(values).filter((name) => !own.includes(name));
  const stranger = fc.option(fc.constantFrom(...foreign), { freq: 6 }).map((name) => (name === null ? [] : [name]));
  return fc
    .tuple(fc.subarray(own), stranger)
    .chain(([some, more]) =>
      fc.record(Object.fromEntries([...some, ...more].map((name) => [name, values[name] ?? scalar]))),
    )
    .map((body) => JSON.stringify(body));
}

const QUERIES = [
  ...["limit=0", "limit=1", "limit=10001", "limit=x", "order=up", "order=asc", "filter=none", "filter=failed"],
  ...["after=", "before=", "after=file-none", "after=ID", "before=ID", "after=ID&before=ID", "after=%00", "after=%ff"],
  ...[
    "page=-1",
    "page=0",
    "page=999999",
    "page=9999999",
    "purpose=x",
    "purpose=",
    "purpose=%F0%9F%98%80",
    "api-version=x",
  ],
];

/** A request of the fixture's tenant. */
export function confusedRequest(fixture: FilesFixture): fc.Arbitrary<Raw & { operation: string }> {
  const id = anyId(fixture);
  const withQuery = fc.option(fc.tuple(fc.constantFrom(...QUERIES), id), { freq: 3 });
  return fc.constantFrom(...fileOperations).chain((operation) => {
    const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
    // Mostly one that fits: else nothing behind the first look-up would be tried.
    const fitting = (name: string) => fc.constantFrom(...fixture.fitting(name));
    const values = names.map((name) => fc.oneof({ weight: 4, arbitrary: fitting(name) }, { weight: 1, arbitrary: id }));
    return fc.tuple(fc.tuple(...values), withQuery, bodyOf(operation, fixture)).map(([chosen, query, body]) => {
      const path = names.reduce(
        (text, name, index) => text.replace(`{${name}}`, encodeURIComponent(wellFormed(chosen[index] ?? ""))),
        `/v1/${operation.path}`,
      );
      const tail = query === null ? "" : `?${query[0].replaceAll("ID", encodeURIComponent(wellFormed(query[1])))}`;
      const headers = { authorization: `Bearer ${fixture.tenant.key}`, "content-type": typeOf(operation) };
      return { operation: operation.name, method: operation.method, path: path + tail, headers, body };
    });
  });
}

const wellFormed = (id: string) => id.toWellFormed();

const typeOf = ({ form }: Operation) => (form === undefined ? "application/json" : "multipart/form-data; boundary=x");

function bodyOf(operation: Operation, fixture: FilesFixture): fc.Arbitrary<string | undefined> {
  if (operation.form !== undefined) return form();
  if (operation.body === undefined) return fc.constantFrom(undefined, undefined, undefined, "{}", "{", "[]");
  const random = randomBody(schemaOf(operation.body), {});
  return fc.oneof({ weight: 3, arbitrary: confused(operation, fixture) }, { weight: 1, arbitrary: random });
}

const part = fc
  .tuple(
    fc.constantFrom(
      'name="file"; filename="a.txt"',
      'name="purpose"',
      'name="data"',
      'name="expires_after"',
      'name=""',
    ),
    fc.constantFrom("assistants", "vision", "Hello", "", "{}", "nothing"),
  )
  .map(([head, value]) => `--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`);

const form = () =>
  fc
    .tuple(fc.array(part, { maxLength: 4 }), fc.constantFrom("--x--\r\n", "--x--\r\n", "--x--\r\n", ""))
    .map(([parts, end]) => parts.join("") + end);

function fail(): never {
  throw new Error("an operation without a body was picked");
}
