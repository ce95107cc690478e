/** Bodies that are no request at all, and right ones in which a random part was replaced. */
import fc from "fast-check";
import { type Place, placesOf, type Schema } from "./schema.ts";

/** Not JSON, as far as RFC 8259 goes. */
export const NO_JSON: (string | Buffer)[] = [
  "{",
  "}",
  "nul",
  "{}x",
  "{'a':1}",
  "{a:1}",
  '{"a":1,}',
  "[1,]",
  "NaN",
  "-",
  '{"a":01}',
  '"\u0001"',
  "\u0000",
  '{"a":"\\x"}',
  '{"a"',
  "undefined",
  "<xml/>",
  "a=b&c=d",
  Buffer.from([0xff, 0xfe, 0x00]),
  Buffer.from([0xc3, 0x28]),
  `${"[".repeat(100_000)}`,
  `${'{"a":'.repeat(10_000)}`,
];

const DEPTH = 1_000;

/** A list in a list, or an object in an object, 1,000 levels deep. */
export const DEEP: unknown[] = [
  nested((inner) => [inner]),
  nested((inner) => ({ a: inner })),
  nested((inner) => ({ type: "function", function: inner })),
  nested((inner) => ({ role: "user", content: [inner] })),
];

function nested(around: (inner: unknown) => unknown): unknown {
  let value: unknown = "core";
  for (let level = 0; level < DEPTH; level++) value = around(value);
  return value;
}

/** Texts of bodies with values that JSON.stringify would not write. */
const STRANGE_VALUES = [
  "1e400",
  "-1e400",
  "1e-400",
  "123456789012345678901234567890",
  "-0",
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\\uffff"',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"a":1,"a":2}',
  '{"length":1000000000}',
  '{"toJSON":"x"}',
  '{"then":"x"}',
  '{"type":"__proto__"}',
  "[null,null]",
  "[[[[]]]]",
];

const MARK = "\u0001mark\u0001";

/** A body that is right but for one or two places, where anything may stand; as text. */
export function randomBody(schema: Schema, known: Record<string, unknown>): fc.Arbitrary<string> {
  const places = placesOf(schema, known);
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }).map((any) => JSON.stringify(any)),
    fc.constantFrom(...STRANGE_VALUES),
    fc.constantFrom(...DEEP.map((deep) => JSON.stringify(deep))),
    fc.string({ unit: "binary", maxLength: 20 }).map((text) => JSON.stringify(text)),
  );
  return fc.tuple(fc.constantFrom(...places), value).map(([place, text]) => withText(place, text));
}

function withText(place: Place, text: string): string {
  return JSON.stringify(place.with(MARK)).replace(JSON.stringify(MARK), () => text);
}

/** Any path that can be written on a request line at all. */
export const randomPath: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(
      "/",
      "/v1/",
      "/openai/",
      "/v1/threads/",
      "/v1/assistants/",
      "/api/projects/p/threads/",
      "/v1/threads/runs/",
    ),
    fc.array(fc.integer({ min: 0x21, max: 0xff }), { minLength: 1, maxLength: 60 }),
  )
  // These would only end the path of a list.
  .filter(([, [first = 0]]) => !"/?#".includes(String.fromCharCode(first)))
  .map(([start, bytes]) => start + String.fromCharCode(...bytes));

/** Names that mean something to Azure's host or to JavaScript, and must mean nothing to an operation. */
export const STRANGE_QUERIES = [
  "Headers=x",
  "headers=x",
  "HEADERS=%7B%7D",
  "Query=x",
  "thread_id=thread_other",
  "assistant_id=asst_other",
  "run_id=run_other&message_id=msg_other&step_id=step_other",
  "code=1",
  "sys=1",
  "%00=%00",
  "__proto__=1",
  "constructor=x",
  "__proto__[polluted]=1",
  "a[b]=c",
  "include[]=x",
  "include%5B%5D=step_details",
  "=x",
  "&&&",
  "%",
  "%E9=%E9",
  "%zz=1",
  "+=+",
];
