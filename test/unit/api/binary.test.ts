/** Bytes that are sent: what happens to their source if the client leaves, or the source fails. */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { BinaryStream } from "../../../src/api/binary.ts";
import { Connection } from "../../../src/api/connections.ts";

class FakeResponse extends EventEmitter {
  writableFinished = false;
  writableNeedDrain = false;
  closed = false;
  destroyed = false;
  destroy() {
    this.destroyed = true;
  }
}

function streamOf(stream: AsyncIterable<Uint8Array>, filename = "a.txt") {
  const response = new FakeResponse();
  const seen = { stopped: 0, failed: [] as unknown[] };
  const content = {
    bytes: 1,
    filename,
    stream,
    stop: () => {
      seen.stopped += 1;
    },
    failed: (error: unknown) => seen.failed.push(error),
  };
  return { response, seen, body: new BinaryStream(content, new Connection(response as unknown as ServerResponse)) };
}

async function* endless() {
  for (;;) yield Buffer.alloc(100_000);
}

test("a client that leaves stops the source, and nothing more is yielded", async () => {
  const { body, response, seen } = streamOf(endless());
  let pieces = 0;
  for await (const piece of body) {
    expect(piece.length).toBeLessThanOrEqual(65_536);
    if (++pieces === 5) response.emit("close");
  }
  expect({ pieces, seen }).toEqual({ pieces: 5, seen: { stopped: 1, failed: [] } });
  await body.settled;
});

test("a client that left before the first byte stops the source, too", async () => {
  const { body, response, seen } = streamOf(endless());
  response.emit("close");
  await body.settled;
  expect(seen.stopped).toBe(1);
});

test("a source that fails cuts the connection, and is told", async () => {
  const error = new Error("gone");
  async function* broken() {
    yield Buffer.from("x");
    throw error;
  }
  const { body, response, seen } = streamOf(broken());
  for await (const _ of body);
  expect({ cut: response.destroyed, seen }).toEqual({ cut: true, seen: { stopped: 1, failed: [error] } });
});

test.each([
  ["a.txt", 'attachment; filename="a.txt"'],
  ['a"b\\c%.txt', "attachment; filename=\"a_b_c_.txt\"; filename*=UTF-8''a%22b%5Cc%25.txt"],
  ["你好.txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%E4%BD%A0%E5%A5%BD.txt"],
])("the name %s stands in the header", (filename, header) => {
  expect(streamOf(endless(), filename).body.headers["content-disposition"]).toBe(header);
});
