/** Clients that do not read, over real sockets. */
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connections } from "../../../src/api/connections.ts";
import { Load } from "../../../src/api/load.ts";
import { EventStream } from "../../../src/api/sse.ts";

const PATIENCE = { piece: 300, answer: 300, invocation: 300, reset: 100 };
const LIMITS = { requests: 10, streams: 10, uploads: 4, bodyBytes: 1_000, unread: 64_000_000 };

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 15_000, interval: 5 });

let connections: Connections;
let server: Server;
let serve: (response: ServerResponse) => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  connections = new Connections(PATIENCE);
  server = createServer((_request, response) => serve(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  connections.close();
  server.closeAllConnections();
  server.close();
});

/** A client that asks and never reads the answer. */
function ask(): Socket {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: here\r\nx-ms-invocation-id: invocation-1\r\n\r\n");
  sockets.push(socket);
  return socket;
}

/** As the library does it, which pays no heed to `write`. */
async function writeAll(response: ServerResponse, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of body) response.write(piece);
  response.end();
}

/** As a model speaks: not all at once, and more than the sockets of both sides take. */
async function speak(stream: EventStream): Promise<void> {
  while (!stream.ended) {
    stream.push({ event: "e", data: "x".repeat(500_000) });
    await new Promise(setImmediate);
  }
}

test("when more waits than its tenant may have, a stream ends with an error, which its client reads later", async () => {
  connections.close();
  connections = new Connections();
  const load = new Load({ ...LIMITS, unread: 3_000_000 }, 2);
  let [most, cut] = [0, false];
  serve = async (answer) => {
    const stream = new EventStream(connections.take("invocation-1"));
    await load.open("a", async () => stream);
    void writeAll(answer, stream);
    while (!stream.ended) {
      stream.push({ event: "e", data: "x".repeat(500_000) });
      most = Math.max(most, stream.waiting);
      await new Promise(setImmediate);
    }
    cut = true;
    stream.end();
  };
  const socket = ask();
  await until(() => cut);
  // Half, and half of an event.
  expect(most).toBeLessThan(1_800_000);
  expect(load.report().streams).toBe(1);
  let text = "";
  socket.on("data", (piece) => {
    text = (text + piece).slice(-1_000);
  });
  socket.resume();
  await until(() => load.report().streams === 0);
  await until(() => text.includes("[DONE]"));
  expect(text).toMatch(/event: error\r?\n.*reads too slowly.*event: done\ndata: \[DONE\]/s);
});

test("a stream whose client never reads is cut, loses its connection and frees its place", async () => {
  const load = new Load(LIMITS, 2);
  let response: ServerResponse | undefined;
  serve = async (answer) => {
    response = answer;
    const stream = new EventStream(connections.take("invocation-1"));
    await load.open("a", async () => stream);
    void writeAll(answer, stream);
    await speak(stream);
    stream.end();
  };
  ask();
  await until(() => (response?.writableLength ?? 0) > 0 && load.report().unread > 0);
  expect(load.report().streams).toBe(1);
  await until(() => load.report().streams === 0);
  expect(load.report().unread).toBe(0);
  expect(response?.destroyed).toBe(true);
});

test("no more than a piece waits in the socket: the rest counts as unread, until the client reads", async () => {
  connections.close();
  connections = new Connections();
  let response: ServerResponse | undefined;
  let stream: EventStream | undefined;
  let pushed = 0;
  serve = async (answer) => {
    response = answer;
    stream = new EventStream(connections.take("invocation-1"));
    void writeAll(answer, stream);
    while (stream.waiting < 2_000_000) {
      stream.push({ event: "e", data: "x".repeat(500_000) });
      pushed += 500_000;
      await new Promise(setImmediate);
    }
    stream.end();
  };
  const socket = ask();
  await until(() => (stream?.waiting ?? 0) >= 2_000_000 && response?.writableNeedDrain === true);
  expect(response?.writableLength).toBeLessThan(100_000);

  let text = "";
  socket.on("data", (piece) => {
    text += piece;
  });
  socket.resume();
  await until(() => text.includes("event: done"));
  expect(text.match(/x/g)?.length).toBe(pushed);
  expect(stream?.waiting).toBe(0);
});

test("a stream whose client leaves keeps its place until its run has ended, and nothing more waits for it", async () => {
  const load = new Load(LIMITS, 2);
  let stream: EventStream | undefined;
  serve = async (answer) => {
    stream = new EventStream(connections.take("invocation-1"));
    const opened = stream;
    await load.open("a", async () => opened);
    void writeAll(answer, opened);
    opened.push({ event: "e", data: "x" });
  };
  const socket = ask();
  await until(() => load.report().streams === 1);
  socket.destroy();
  await until(() => stream?.gone.aborted === true);
  await new Promise(setImmediate);
  stream?.push({ event: "e", data: "more" });
  expect(load.report()).toMatchObject({ streams: 1, unread: 0 });
  stream?.end();
  await until(() => load.report().streams === 0);
});

test("a request keeps its place until its client has taken the answer, or was cut off", async () => {
  const load = new Load(LIMITS, 2);
  let response: ServerResponse | undefined;
  serve = async (answer) => {
    response = answer;
    await load.handle("a", 10, connections.take("invocation-1"), async () => ({}));
    answer.end("x".repeat(20_000_000));
  };
  ask();
  await until(() => response?.writableEnded === true);
  expect(load.report()).toMatchObject({ requests: 1, bodyBytes: 0 });
  await until(() => load.report().requests === 0);
  expect(response?.writableFinished).toBe(false);
});

test("a client that takes its answer frees the place at once, with patience to spare", async () => {
  const load = new Load(LIMITS, 2);
  serve = async (answer) => {
    await load.handle("a", 0, connections.take("invocation-1"), async () => ({}));
    answer.end("x".repeat(20_000_000));
  };
  ask().resume();
  await until(() => load.report().requests === 1);
  await until(() => load.report().requests === 0);
});

test("a client that has left before its invocation began is noticed at once, and no event waits for it", async () => {
  let response: ServerResponse | undefined;
  serve = (answer) => {
    response = answer;
  };
  const socket = ask();
  await until(() => response !== undefined);
  socket.destroy();
  await until(() => response?.closed === true);
  const stream = new EventStream(connections.take("invocation-1"));
  expect(stream.gone.aborted).toBe(true);
  stream.push({ event: "e", data: "x" });
  expect(stream.waiting).toBe(0);
});

test("a request whose invocation never begins is refused, for its client has sent the host's own header", async () => {
  serve = () => {};
  const socket = ask();
  let text = "";
  socket.on("data", (piece) => {
    text += piece;
  });
  socket.resume();
  await until(() => text.includes("reserved"));
  expect(text).toMatch(/^HTTP\/1.1 400 [\s\S]*"type":"invalid_request_error"/);
  expect(connections.take("invocation-1")).toBeUndefined();
});

test("a request whose invocation has begun may take longer than that", async () => {
  let asked = 0;
  serve = async (answer) => {
    asked += 1;
    connections.take("invocation-1");
    await new Promise((resolve) => setTimeout(resolve, 2 * PATIENCE.invocation));
    answer.end("at last");
  };
  const socket = ask();
  let text = "";
  socket.on("data", (piece) => {
    text += piece;
  });
  socket.resume();
  await until(() => text.includes("at last"));
  expect(asked).toBe(1);
  expect(text).toMatch(/^HTTP\/1.1 200 /);
});
