/** A model server that answers byte for byte as a test says: what servers send that the simulated model never would. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  /** pieces are written one after the other */
  body: string | (string | Uint8Array)[];
  /** milliseconds between two pieces */
  pause?: number;
  /** how the connection ends: as it should (the default), broken off, or not at all */
  ending?: "cut" | "open";
}

export interface Asked {
  /** path and query of the request */
  url: string;
  body: Record<string, unknown> & { model: string; messages: Record<string, unknown>[] };
}

export interface RawModel {
  /** What the app takes as its MODEL_ENDPOINT. */
  endpoint: string;
  /** What a model answers, call by call; its last reply is repeated. A function decides by the request. */
  script(model: string, replies: (Reply | ((asked: Asked) => Reply))[]): void;
  /** What a model was asked. */
  asked(model: string): Asked[];
  /** Forgets all scripts and what was asked. */
  forget(): void;
  stop(): Promise<void>;
}

export async function startRawModel(): Promise<RawModel> {
  const scripts = new Map<string, (Reply | ((asked: Asked) => Reply))[]>();
  const requests = new Map<string, Asked[]>();
  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: Asked["body"] = JSON.parse(await textOf(request));
    const asked = { url: request.url ?? "", body };
    const before = requests.get(body.model) ?? [];
    requests.set(body.model, [...before, asked]);
    const replies = scripts.get(body.model) ?? [{ status: 404, body: "" }];
    const reply = replies[Math.min(before.length, replies.length - 1)];
    if (reply !== undefined) await send(typeof reply === "function" ? reply(asked) : reply, response);
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    script: (model, replies) => void scripts.set(model, replies),
    asked: (model) => requests.get(model) ?? [],
    forget() {
      scripts.clear();
      requests.clear();
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

async function send(
  { status = 200, headers, body, pause = 0, ending }: Reply,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(status, { "content-type": "text/event-stream", ...headers });
  for (const [index, piece] of (Array.isArray(body) ? body : [body]).entries()) {
    if (pause > 0 && index > 0) await sleep(pause);
    await new Promise((resolve) => response.write(piece, resolve));
  }
  if (ending === "cut") response.destroy();
  else if (ending === undefined) response.end();
}

/** Events, each of them a chunk; a text stands as it is. */
export const sse = (...events: unknown[]): string =>
  events.map((event) => (typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`)).join("");

export const chunk = (delta: unknown, reason: unknown = null, more: object = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: reason }],
  ...more,
});
export const says = (content: unknown) => chunk({ content });
export const calls = (...pieces: unknown[]) => chunk({ tool_calls: pieces });
export const ends = (reason: unknown = "stop") => chunk({}, reason);
export const uses = (usage: unknown) => ({ choices: [], usage });
export const USAGE = uses({ prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 });
export const DONE = "data: [DONE]\n\n";

/** A whole stream around what the model says. */
export const stream = (...events: unknown[]) => sse(chunk({ role: "assistant", content: "" }), ...events);
export const textStream = (...events: unknown[]) => stream(...events, ends(), USAGE, DONE);
export const callStream = (...events: unknown[]) => stream(...events, ends("tool_calls"), USAGE, DONE);
