/** What answers look like on the wire: status, headers and body. */
import { randomUUID } from "node:crypto";
import { setImmediate as pause } from "node:timers/promises";
import type { HttpResponseInit } from "@azure/functions";
import type { ErrorBody } from "../resources/errors.ts";
import type { Face } from "./auth.ts";
import type { BinaryStream } from "./binary.ts";
import type { EventStream } from "./sse.ts";

/** JSON that is made and sent in one go: some milliseconds. Characters. */
const AT_ONCE = 1_000_000;

/** OpenAI's ids are `req_` and 32 hex digits, Azure's a GUID. */
export function newRequestId(face: Face): string {
  const id = randomUUID();
  return face === "azure" ? id : `req_${id.replaceAll("-", "")}`;
}

export function commonHeaders(requestId: string, face: Face, milliseconds: number): Record<string, string> {
  return {
    "x-request-id": requestId,
    ...(face === "azure" ? { "apim-request-id": requestId } : {}),
    "openai-version": "2020-10-01",
    "openai-processing-ms": String(Math.round(milliseconds)),
    "x-content-type-options": "nosniff",
  };
}

export function json(status: number, body: object | ErrorBody, headers: Record<string, string>): HttpResponseInit {
  return { status, headers: { ...headers, "content-type": "application/json" }, body: jsonBody(body) };
}

export function eventStream(body: EventStream, headers: Record<string, string>): HttpResponseInit {
  return {
    status: 200,
    headers: {
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      // Proxies that collect a response before they pass it on would undo the streaming.
      "x-accel-buffering": "no",
    },
    body,
  };
}

export function binary(body: BinaryStream, headers: Record<string, string>): HttpResponseInit {
  return { status: 200, headers: { ...headers, ...body.headers }, body };
}

/** A list may have 100 objects of 1 MB: what is left of a long one is made while it is sent. */
export function jsonBody(body: object): string | AsyncIterable<Uint8Array> {
  if (!("data" in body && Array.isArray(body.data))) return JSON.stringify(body);
  const pieces = listPieces(body);
  let beginning = "";
  for (let next = pieces.next(); !next.done; next = pieces.next()) {
    beginning += next.value;
    if (beginning.length > AT_ONCE) return inPieces(beginning, pieces);
  }
  return beginning;
}

async function* inPieces(beginning: string, rest: Iterable<string>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(beginning);
  for (const piece of rest) {
    // Others get their turn.
    await pause();
    yield Buffer.from(piece);
  }
}

/** The JSON of an object, each item of its lists a piece of its own. */
function* listPieces(body: object): Generator<string> {
  let separator = "{";
  for (const [name, value] of Object.entries(body)) {
    const start = `${separator}${JSON.stringify(name)}:`;
    separator = ",";
    if (!Array.isArray(value)) {
      yield start + JSON.stringify(value);
      continue;
    }
    yield `${start}[`;
    for (const [index, item] of value.entries()) yield (index === 0 ? "" : ",") + JSON.stringify(item);
    yield "]";
  }
  yield "}";
}
