/** Reads the JSON body of a request within bounds, and in pieces: a large one must not hold up other requests. */
import { setImmediate as pause } from "node:timers/promises";
import type { HttpRequest } from "@azure/functions";
import {
  ApiError,
  bodyTooLarge,
  tooDeep,
  tooManyValues,
  unparsableBody,
  unsupportedCharset,
  unsupportedEncoding,
} from "../resources/errors.ts";
import { MAX_BODY_VALUES } from "../resources/limits.ts";
import { ClientLeft } from "./incoming.ts";
import { JsonShape } from "./json-shape.ts";

/** Levels of brackets in a body; the store adds a few around it and takes 128. */
const MAX_DEPTH = 100;

/** What is scanned in one go: some milliseconds. Characters. */
const PIECE = 500_000;

/** Others get their turn between the steps of a body longer than this. Characters. */
const LARGE = 50_000;

/**
 * No body at all means no parameters: some clients create a thread that way. `maximum` in bytes. Throws the contract's
 * 400, 413 or 415, or `ClientLeft`.
 */
export async function readJson(request: HttpRequest, maximum: number): Promise<unknown> {
  const text = await readText(request, maximum).catch(asClientLeft);
  if (text.trim() === "") return {};
  assertReadable(request);
  const shape = await shapeOf(text);
  if (!shape.isClosed) throw unparsableBody();
  if (shape.depth > MAX_DEPTH) throw tooDeep(MAX_DEPTH);
  if (shape.values > MAX_BODY_VALUES) throw tooManyValues(MAX_BODY_VALUES);
  const value = parsed(text);
  if (text.length > LARGE) await pause();
  return value;
}

/** Throws the 415 for a body that is compressed, or in an encoding of which one can tell that it is not read. */
function assertReadable({ headers }: HttpRequest): void {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") throw unsupportedEncoding(encoding);
  const charset = /charset="?(utf-?(?:16|32)[a-z]*)/i.exec(headers.get("content-type") ?? "")?.[1];
  if (charset !== undefined) throw unsupportedCharset(charset);
}

/**
 * The body as text. What is too long is read to its end all the same, and not kept: a client that is still writing when
 * the connection closes may never read the answer.
 */
async function readText(request: HttpRequest, maximum: number): Promise<string> {
  const told = request.headers.get("content-length");
  if (told !== null && Number(told) <= maximum) return request.text();

  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes <= maximum) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes > maximum) throw bodyTooLarge(maximum);
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** What broke the connection means that the client has left. */
function asClientLeft(error: unknown): never {
  throw error instanceof ApiError ? error : new ClientLeft();
}

async function shapeOf(text: string): Promise<JsonShape> {
  const shape = new JsonShape();
  for (let from = 0; from < text.length; from += PIECE) {
    if (text.length > LARGE) await pause();
    shape.scan(text, from, Math.min(from + PIECE, text.length));
  }
  return shape;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unparsableBody();
  }
}
