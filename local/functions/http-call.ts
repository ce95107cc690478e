// One HTTP request to a function, as both transports (streamed and whole) get it from the front.

import { randomUUID } from "node:crypto";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { RegisteredFunction, TraceContext } from "./protocol.ts";
import type { RouteParams } from "./routes.ts";

export interface HttpCall {
  fn: RegisteredFunction;
  params: RouteParams;
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
  /** In bytes. */
  maxBody: number;
}

export interface HttpTransport {
  /** Answers the call. Never throws or rejects. */
  serve(call: HttpCall): void;
  close(): void;
}

// Headers that concern one connection only and are not forwarded (RFC 9110, 7.6.1).
const hopByHop = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export function endToEndHeaders(headers: NodeJS.Dict<string | string[]>): OutgoingHttpHeaders {
  const kept: OutgoingHttpHeaders = {};
  for (const name in headers) if (!hopByHop.has(name)) kept[name] = headers[name];
  return kept;
}

/** Headers as one string each, the form in which the host hands them to the worker. */
export function flatHeaders(request: IncomingMessage): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value !== undefined) flat[name] = typeof value === "string" ? value : value.join(",");
  }
  return flat;
}

/** Query parameters as one string each; repeated ones are joined by commas, as the host does. */
export function flatQuery(query: URLSearchParams): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of query) flat[name] = name in flat ? `${flat[name]},${value}` : value;
  return flat;
}

/** The caller's W3C trace context, or a new one: in Azure an invocation always has one. */
export function traceContext(request: IncomingMessage): TraceContext {
  const { traceparent, tracestate } = request.headers;
  return {
    traceParent: typeof traceparent === "string" ? traceparent : newTraceParent(),
    traceState: typeof tracestate === "string" ? tracestate : "",
    attributes: {},
  };
}

function newTraceParent(): string {
  const hex = randomUUID().replaceAll("-", "");
  const span = randomUUID().replaceAll("-", "").slice(16);
  return `00-${hex}-${span}-00`;
}

export function hasBody(request: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== "0");
}

/** Ends a response with a status and perhaps a text; a response under way can only be cut off. */
export function answer(response: ServerResponse, status: number, text = ""): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    "content-length": Buffer.byteLength(text),
    ...(text && { "content-type": "text/plain; charset=utf-8" }),
  });
  response.end(text);
}

/** 413, and no more reading: the client may have gigabytes to go. */
export function refuseBody(call: Pick<HttpCall, "request" | "response" | "maxBody">): void {
  if (call.response.headersSent) {
    call.response.destroy();
    return;
  }
  call.response.setHeader("connection", "close");
  answer(call.response, 413, `Request body too large. The max request body size is ${call.maxBody} bytes.`);
  call.request.resume();
  call.response.once("finish", () => call.request.destroy());
}
