/** What the model's SDK gets from our `fetch`, from a server on a socket. */
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createSilentServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { textFetch } from "../../../src/model/fetch.ts";

const fetchText = textFetch();

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const serving = createServer(listener);
  server = serving;
  await new Promise<void>((resolve) => serving.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(serving.address() as AddressInfo).port}`;
}

const post = (url: string, body: string, signal?: AbortSignal) =>
  fetchText(url, {
    method: "POST",
    headers: new Headers({ "content-type": "application/json", authorization: "Bearer key" }),
    body,
    ...(signal && { signal }),
  });

test("method, path, headers and body arrive; status, headers and body come back", async () => {
  const origin = await serve(async (request, response) => {
    const { method, url, headers } = request;
    const seen = { method, url, authorization: headers.authorization, body: await text(request) };
    response.writeHead(418, "Teapot", { "x-one": "1", "set-cookie": ["a=b", "c=d"] });
    response.end(JSON.stringify(seen));
  });

  const answer = await post(`${origin}/v1/chat?api-version=1`, '{"é":1}');

  expect([answer.status, answer.statusText, answer.ok]).toEqual([418, "Teapot", false]);
  expect(answer.headers.get("x-one")).toBe("1");
  expect(answer.headers.getSetCookie()).toEqual(["a=b", "c=d"]);
  expect(await answer.json()).toEqual({
    method: "POST",
    url: "/v1/chat?api-version=1",
    authorization: "Bearer key",
    body: '{"é":1}',
  });
});

test("a redirection is followed, with its body", async () => {
  const origin = await serve(async (request, response) => {
    if (request.url === "/old") response.writeHead(307, { location: "/new" }).end("moved");
    else response.end(`${request.method} ${request.url} ${await text(request)}`);
  });
  expect(await (await post(`${origin}/old`, "text")).text()).toBe("POST /new text");
});

test("an answer without a body is one", async () => {
  const origin = await serve((_request, response) => response.writeHead(204).end());
  const answer = await post(origin, "");
  expect([answer.status, answer.body]).toEqual([204, null]);
});

test("pieces arrive when they are sent", async () => {
  let next = () => {};
  const origin = await serve((_request, response) => {
    response.write("one");
    next = () => response.end("two");
  });
  const reader = (await post(origin, "")).body?.getReader();
  const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString();

  expect(await read()).toBe("one");
  next();
  expect(await read()).toBe("two");
  expect(await reader?.read()).toMatchObject({ done: true });
});

test("no server at the port, or a connection that breaks in the middle, is an error", async () => {
  await expect(post("http://127.0.0.1:1", "")).rejects.toThrow("ECONNREFUSED");

  const origin = await serve((_request, response) => {
    response.write("half of it");
    setTimeout(() => response.destroy(), 10);
  });
  await expect((await post(origin, "")).text()).rejects.toThrow();
});

test("a connection that is closed when it is used again is replaced by another, a new one is not", async () => {
  const used = new WeakSet<object>();
  const bodies: string[] = [];
  const origin = await serve(async (request, response) => {
    bodies.push(await text(request));
    if (used.has(request.socket) || request.url === "/closed") return void request.socket.destroy();
    used.add(request.socket);
    response.end("fine");
  });

  expect(await (await post(origin, "one")).text()).toBe("fine");
  expect(await (await post(origin, "two")).text()).toBe("fine");
  expect(bodies).toEqual(["one", "two", "two"]);

  server?.closeIdleConnections();
  await expect(post(`${origin}/closed`, "three")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(bodies.filter((body) => body === "three").length).toBeLessThanOrEqual(2);
});

test("a connection that does not get made is given up", async () => {
  const silent = createSilentServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = silent.address() as AddressInfo;
    const headers = new Headers();
    const call = textFetch(50)(`https://127.0.0.1:${port}`, { method: "POST", headers, body: "" });
    await expect(call).rejects.toThrow(`no connection to 127.0.0.1:${port} within 0.05 s`);
  } finally {
    silent.close();
  }
});

test("an aborted call closes its connection, before the answer and inside it", async () => {
  let closed = 0;
  const origin = await serve((request, response) => {
    response.once("close", () => {
      closed += 1;
    });
    if (request.url === "/begun") response.write("half of it");
  });
  for (const path of ["/silent", "/begun"]) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    await expect(post(`${origin}${path}`, "", stop.signal).then((answer) => answer.text())).rejects.toThrow();
  }
  await expect.poll(() => closed).toBe(2);
});

test("a sender is slowed down to the speed of the reader", async () => {
  const piece = Buffer.alloc(1024 * 1024);
  const MANY = 64;
  let written = 0;
  const origin = await serve((_request, response) => {
    const more = () => {
      while (written < MANY) {
        written += 1;
        if (!response.write(piece)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });

  const answer = await post(origin, "");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(written).toBeLessThan(MANY / 2);
  expect((await answer.arrayBuffer()).byteLength).toBe(MANY * piece.byteLength);
});

test("an answer that is left while much of it waits is closed", async () => {
  const answered: boolean[] = [];
  const origin = await serve((_request, response) => {
    response.once("close", () => answered.push(response.writableFinished));
    response.end(Buffer.alloc(64 * 1024 * 1024));
  });
  const answer = await post(origin, "");
  const reader = answer.body?.getReader();
  // So much waits that the sender has to.
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let taken = 0; taken < 1_000_000; ) taken += (await reader?.read())?.value?.byteLength ?? Number.NaN;
  await reader?.cancel();
  await expect.poll(() => answered).toEqual([false]);
  await expect(reader?.read()).resolves.toEqual({ done: true, value: undefined });
});
