/** A model server that ends its streams a moment after `[DONE]`, as real ones do: its connection is used again. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "../../../src/config.ts";
import { Model } from "../../../src/model/client.ts";

const PIECE = { choices: [{ index: 0, delta: { content: "word" }, finish_reason: null }] };

let server: Server;
let connections: number;
let answer: (response: ServerResponse) => Promise<void>;

beforeEach(async () => {
  connections = 0;
  server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      void answer(response);
    });
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const newModel = () =>
  new Model(
    readConfig({
      COSMOS_ENDPOINT: "http://127.0.0.1:1",
      ServiceBusConnection: "unused",
      MODEL_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    }),
  );

async function pieces(model: Model, signal = new AbortController().signal): Promise<number> {
  let count = 0;
  for await (const { text } of model.stream({ model: "any", messages: [] }, signal)) if (text !== "") count += 1;
  return count;
}

async function sayTwice(response: ServerResponse): Promise<void> {
  for (let i = 0; i < 2; i++) {
    response.write(`data: ${JSON.stringify(PIECE)}\n\n`);
    await sleep(2);
  }
  response.write("data: [DONE]\n\n");
}

test("calls one after the other share a connection", async () => {
  let ended = Promise.withResolvers<void>();
  answer = async (response) => {
    response.once("close", () => ended.resolve());
    await sayTwice(response);
    await sleep(5);
    response.end();
  };
  const model = newModel();
  for (let i = 0; i < 5; i++) {
    expect(await pieces(model)).toBe(2);
    await ended.promise;
    ended = Promise.withResolvers();
    // The end is on its way within this process: it is read in one of the next turns of the event loop.
    for (let turn = 0; turn < 50; turn++) await setImmediate();
  }
  expect(connections).toBe(1);
});

test("a stream that never ends after its last event does not keep the run waiting", async () => {
  answer = sayTwice;
  expect(await pieces(newModel())).toBe(2);
});

test("a call that is aborted in the middle throws, and its connection is closed", async () => {
  const stop = new AbortController();
  let closed = false;
  answer = async (response) => {
    response.once("close", () => {
      closed = true;
    });
    response.write(`data: ${JSON.stringify(PIECE)}\n\n`);
    setTimeout(() => stop.abort(new Error("enough")), 20);
  };
  await expect(pieces(newModel(), stop.signal)).rejects.toThrow("enough");
  await expect.poll(() => closed).toBe(true);
});
