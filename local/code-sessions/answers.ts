/** Writes answers, those of injected faults among them. */
import type { ServerResponse } from "node:http";
import { SessionsError } from "./errors.ts";
import { type Strike, USUAL_RETRY_AFTER } from "./faults.ts";

export interface Answer {
  status: number;
  /** Absent for an answer without a body. */
  json?: unknown;
  /** A file in place of JSON. */
  content?: { size: number; pieces: AsyncIterable<Uint8Array> };
  headers?: Record<string, string>;
}

const JSON_TYPE = "application/json; charset=utf-8";

export async function send(response: ServerResponse, answer: Answer): Promise<void> {
  const { status, json, content, headers = {} } = answer;
  if (content) return sendContent(response, content, headers);
  if (json === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  const text = JSON.stringify(json);
  response.writeHead(status, { "content-type": JSON_TYPE, "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}

/** Cuts the connection where the file does not come as announced: code may have changed it meanwhile. */
async function sendContent(
  response: ServerResponse,
  { size, pieces }: NonNullable<Answer["content"]>,
  headers: Record<string, string>,
): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size, ...headers });
  let sent = 0;
  try {
    for await (const piece of pieces) {
      sent += piece.length;
      if (response.destroyed || sent > size) break;
      if (!response.write(piece)) await drained(response);
    }
  } catch {
    sent = -1;
  }
  if (sent === size) response.end();
  else response.destroy();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
    response.once("close", resolve);
  });
}

export function failed(response: ServerResponse, error: unknown): void {
  const known = error instanceof SessionsError ? error : unexpected(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  void send(response, { status: known.status, json: known.body });
}

function unexpected(error: unknown): SessionsError {
  console.error("code-sessions failed:", error);
  return new SessionsError(500, "InternalServerError", "The server failed.");
}

/** The statuses of injected faults, with what Azure's front door says there. */
const STATUSES: Record<string, [code: string, message: string]> = {
  400: ["SessionRequestValidationFailed", "An injected fault."],
  401: ["Unauthorized", "The audience of the token is wrong."],
  403: ["Forbidden", "The caller may not execute code in this pool."],
  404: ["MaxSessionsReached", "The pool has its maximum number of sessions."],
  429: ["TooManyRequests", "There are too many requests. Try again later."],
  500: ["InternalServerError", "An internal error has occurred."],
  503: ["ServiceUnavailable", "The service is unavailable."],
  504: ["GatewayTimeout", "The session did not answer in time."],
};

/** What a client gets in place of an answer. A request that hangs is left open until its client goes. */
export function strikeNow(response: ServerResponse, { fault, ms }: NonNullable<Strike["effect"]>): void {
  if (fault === "hang") return;
  if (fault === "cut-before" || fault === "cut-after") {
    response.destroy();
    return;
  }
  if (fault === "502-html") {
    response.writeHead(502, { "content-type": "text/html" }).end("<html><h1>502 Bad Gateway</h1></html>");
    return;
  }
  if (fault === "garbage" || fault === "empty-body") {
    response.writeHead(200, { "content-type": JSON_TYPE }).end(fault === "garbage" ? '{"id": 7, "status": [' : "");
    return;
  }
  const [code = "", message = ""] = STATUSES[fault] ?? [];
  const headers = fault === "429" ? { "retry-after": String(Math.ceil((ms ?? USUAL_RETRY_AFTER) / 1000)) } : {};
  void send(response, { status: Number(fault), json: { error: { code, message } }, headers });
}
