/** A form's body as it comes: what stalls, breaks off or is not wanted. */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Connection } from "../../../src/api/connections.ts";
import { type FormRules, readForm } from "../../../src/api/form.ts";
import { Incoming } from "../../../src/api/incoming.ts";
import { fileTooLarge } from "../../../src/resources/errors.ts";

const TYPE = "multipart/form-data; boundary=x";
const HEAD = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n';
const END = "\r\n--x--\r\n";

/** A body of these chunks, which ends only if `ends` says so; how many bytes were taken of it. */
function bodyOf(chunks: Iterable<string | Uint8Array>, ends = true) {
  const taken = { bytes: 0 };
  const source = chunks[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { value, done } = source.next();
        if (done === true) return ends ? controller.close() : new Promise<void>(() => {});
        const bytes = Buffer.from(value);
        taken.bytes += bytes.length;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
  return { taken, request: { headers: new Headers({ "content-type": TYPE }), body } };
}

function rulesFor(maxBytes = 1_000) {
  const seen: Buffer[] = [];
  const rules: FormRules<number> = {
    field: "file",
    maxBytes,
    tooLarge: fileTooLarge,
    take: async (_, bytes) => {
      for await (const chunk of bytes) seen.push(Buffer.from(chunk));
      return Buffer.concat(seen).length;
    },
  };
  return rules;
}

test("a file arrives whole, however the form is cut", async () => {
  const text = `${HEAD}${"y".repeat(500)}${END}`;
  for (const size of [1, 2, 3, 7, 64, 1_000]) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
    const form = await readForm(new Incoming(bodyOf(pieces).request), rulesFor());
    expect(form.file).toEqual({ filename: "a.txt", taken: 500 });
  }
});

test("a file that cannot be put anywhere fails for that reason, though the form ends early by that", async () => {
  const trouble = new Error("the storage is down");
  const take = async (_: string, bytes: AsyncIterable<Uint8Array>) => {
    try {
      for await (const _chunk of bytes) throw trouble;
    } finally {
      // As the storage's client does: other blocks are on their way.
      await sleep(50);
    }
    return 0;
  };
  const chunks = [HEAD, ...Array.from({ length: 50 }, () => "y".repeat(65_536)), END];
  const reading = readForm(new Incoming(bodyOf(chunks).request), { ...rulesFor(10_000_000), take });
  await expect(reading).rejects.toBe(trouble);
});

test("a client that stops sending is told so, wherever it stops", async () => {
  for (const start of ["", HEAD, `${HEAD}yyyy`, `${HEAD}yyyy\r\n--x`]) {
    const incoming = new Incoming(bodyOf([start], false).request, undefined, 50);
    await expect(readForm(incoming, rulesFor())).rejects.toMatchObject({ status: 408 });
  }
});

test("a file that is too large is refused where it becomes too large, and the rest is not read", async () => {
  function* endless() {
    yield HEAD;
    for (;;) yield "y".repeat(10_000);
  }
  const { request, taken } = bodyOf(endless());
  const incoming = new Incoming(request);
  await expect(readForm(incoming, rulesFor(100_000))).rejects.toThrow("File is too large.");
  expect(taken.bytes).toBeLessThan(500_000);
  await incoming.settle();
  expect(taken.bytes).toBeLessThan(2_000_000);
});

test("much besides the file is refused", async () => {
  function* preamble() {
    for (;;) yield "z".repeat(10_000);
  }
  const reading = readForm(new Incoming(bodyOf(preamble()).request), rulesFor());
  await expect(reading).rejects.toMatchObject({ status: 400, body: { error: { code: "form_too_large" } } });
});

/** As much of a response as a connection looks at. */
class FakeResponse extends EventEmitter {
  writableFinished = false;
  closed = false;
  destroyed = false;
  req = { complete: false, destroyed: false, destroy: () => Object.assign(this.req, { destroyed: true }) };
  destroy() {
    this.destroyed = true;
  }
}

const patience = { piece: 50, answer: 50, reset: 10, invocation: 50 };
const connectionTo = (response: FakeResponse) => new Connection(response as unknown as ServerResponse, patience);

test("a client that leaves ends the reading at once", async () => {
  const response = new FakeResponse();
  const incoming = new Incoming(bodyOf([HEAD], false).request, connectionTo(response));
  const reading = readForm(incoming, rulesFor());
  response.emit("close");
  await expect(reading).rejects.toThrow("the client left");
  await incoming.settle();
});

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

async function refusedWithMuchToCome() {
  const response = new FakeResponse();
  function* endless() {
    for (;;) yield "y".repeat(100_000);
  }
  await new Incoming(bodyOf(endless()).request, connectionTo(response)).settle();
  response.emit("finish");
  return response.req;
}

test("what a refused client still sends ends with its connection", async () => {
  const request = await refusedWithMuchToCome();
  await eventually(() => request.destroyed);
});

test("a connection that has gone on to its next request stays", async () => {
  const request = await refusedWithMuchToCome();
  request.complete = true;
  const other = await refusedWithMuchToCome();
  await eventually(() => other.destroyed);
  expect(request.destroyed).toBe(false);
});
