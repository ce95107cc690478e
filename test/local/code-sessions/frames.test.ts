/** What a sandbox sends is put together from chunks of any size, and refused as soon as it cannot be a frame. */
import { expect, test } from "vitest";
import { BadFrame, FrameReader, frameOf } from "../../../local/code-sessions/frames.ts";

const LIMITS = { head: 1000, bytes: 2000 };
const reader = () => new FrameReader(LIMITS);

const head = (text: string) => {
  const json = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
};

test.each([1, 2, 3, 5, 7, 64, 10_000])("frames come whole out of chunks of %d bytes", (size) => {
  const all = Buffer.concat(
    [
      frameOf({ id: 1, text: "ü" }, Buffer.from("some bytes")),
      frameOf({ id: 2 }),
      frameOf({ id: 3 }, Buffer.alloc(2000, 7)),
    ].flat(),
  );
  const frames: { head: object; bytes: string }[] = [];
  const each = reader();
  for (let at = 0; at < all.length; at += size) {
    for (const frame of each.push(all.subarray(at, at + size))) {
      frames.push({ head: frame.head, bytes: frame.bytes.toString() });
    }
  }
  expect(frames).toEqual([
    { head: { id: 1, text: "ü", bytes: 10 }, bytes: "some bytes" },
    { head: { id: 2, bytes: 0 }, bytes: "" },
    { head: { id: 3, bytes: 2000 }, bytes: "\u0007".repeat(2000) },
  ]);
});

test.each<[what: string, bytes: Buffer]>([
  ["no JSON", Buffer.from([0, 0, 0, 1, 65])],
  ["a length beyond the limit", Buffer.from([0, 0, 4, 0])],
  ["a length beyond all limits", Buffer.from([255, 255, 255, 255])],
  ["a length of nothing", Buffer.from([0, 0, 0, 0])],
  ["text of another protocol", Buffer.from("HTTP/1.1 200 OK\r\n")],
  ["an array", head("[]")],
  ["null", head("null")],
  ["a number", head("1")],
  ["no number of bytes", head('{"id":1}')],
  ["a negative number of bytes", head('{"id":1,"bytes":-1}')],
  ["a broken number of bytes", head('{"id":1,"bytes":0.5}')],
  ["too many bytes", head('{"id":1,"bytes":2001}')],
  ["bytes as text", head('{"id":1,"bytes":"1"}')],
  ["bytes that overflow", head('{"id":1,"bytes":1e400}')],
  ["bytes by a prototype", head('{"id":1,"__proto__":{"bytes":1}}')],
  ["a head that never ends its nesting", head("[".repeat(1000))],
])("%s is refused at once", (_, bytes) => {
  expect(() => reader().push(bytes)).toThrow(BadFrame);
});

test("what is refused is refused in whatever pieces it comes", () => {
  const each = reader();
  expect(each.push(Buffer.from([0, 0]))).toEqual([]);
  expect(each.push(Buffer.from([0, 1]))).toEqual([]);
  expect(() => each.push(Buffer.from("x"))).toThrow(BadFrame);
});
