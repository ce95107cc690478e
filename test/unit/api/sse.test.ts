import { describe, expect, test } from "vitest";
import { EventStream } from "../../../src/api/sse.ts";
import { errorEvent } from "../../../src/runs/events.ts";

async function textOf(stream: EventStream): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

describe("a stream", () => {
  test("is one frame an event, compact and on one line, and ends with done", async () => {
    const stream = new EventStream(undefined);
    stream.push({ event: "thread.run.created", data: { id: "run_1", text: "two\nlines, é, 日本" } });
    stream.push({ event: "thread.message.delta", data: { n: 1 } });
    stream.end();
    expect(await textOf(stream)).toBe(
      'event: thread.run.created\ndata: {"id":"run_1","text":"two\\nlines, é, 日本"}\n\n' +
        'event: thread.message.delta\ndata: {"n":1}\n\n' +
        "event: done\ndata: [DONE]\n\n",
    );
  });

  test("numbers its events only where it can be resumed", async () => {
    const stream = new EventStream(undefined);
    stream.push({ event: "thread.run.created", data: {} }, 7);
    stream.end();
    expect(await textOf(stream)).toBe("id: 7\nevent: thread.run.created\ndata: {}\n\nevent: done\ndata: [DONE]\n\n");
  });

  test("gives what is pushed while it is read, in its order", async () => {
    const stream = new EventStream(undefined);
    const reading = textOf(stream);
    for (const n of [1, 2, 3]) {
      await new Promise(setImmediate);
      stream.push({ event: "e", data: { n } });
    }
    await new Promise(setImmediate);
    stream.end();
    expect((await reading).match(/"n":\d/g)).toEqual(['"n":1', '"n":2', '"n":3']);
  });

  test("that got no event is only done", async () => {
    const stream = new EventStream(undefined);
    stream.end();
    expect(await textOf(stream)).toBe("event: done\ndata: [DONE]\n\n");
  });

  test("says nothing after its end, and ends only once", async () => {
    const stream = new EventStream(undefined);
    stream.end();
    stream.push({ event: "e", data: {} });
    stream.end();
    expect(await textOf(stream)).toBe("event: done\ndata: [DONE]\n\n");
  });

  const tooMuch = () => {
    const stream = new EventStream(undefined);
    for (let i = 0; i < 10; i++) stream.push({ event: "e", data: "x".repeat(500_000) });
    stream.end();
    return textOf(stream);
  };

  test("whose client reads too slowly is cut with an error, and takes no more room", async () => {
    const text = await tooMuch();
    expect(text.length).toBeLessThan(1_000);
    expect(text).toMatch(/^event: error\ndata: \{"error":\{"message":"The client reads too slowly/);
  });

  // Its end is refused as any event after it is.
  test("whose client reads too slowly ends with done, too", async () => {
    expect(await tooMuch()).toMatch(/event: done\ndata: \[DONE\]\n\n$/);
  });
});

test("an error in a stream has both of the forms that client libraries look for", () => {
  const error = { message: "Oops.", type: "server_error", param: null, code: null };
  expect(errorEvent("Oops.")).toEqual({ event: "error", data: { error, ...error } });
});
