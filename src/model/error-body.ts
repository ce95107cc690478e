/**
 * The bodies of error answers, which every kind of server writes in another way: OpenAI's `error` object, a text in its
 * place, lists of what a validator found, JSON within a text. They are read into OpenAI's shape, which the SDK knows.
 */
import { type Fields, isFields } from "./pieces.ts";

export interface ReadableError {
  message: string;
  type: string | undefined;
  param: string | undefined;
  code: string | undefined;
  /** the parts of the request that the server names as wrong, as paths: `messages.0.content` */
  places: string[];
  contentType?: string;
}

/** Of an error's body, at most. Characters; what is longer is a web page or quotes a whole prompt. */
const LONGEST_BODY = 100_000;
const DEEPEST = 6;
const MOST_ITEMS = 20;

/** `fetch` whose error answers are in OpenAI's shape, whatever the server has sent. */
export function withReadableErrors(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const response = await send(input, init);
    if (response.status < 400) return response;
    const { headers, status, statusText } = response;
    const contentType = contentTypeOf(headers);
    const error = { ...readableError(bodyOf(await textOf(response))), contentType };
    const readable = new Headers(headers);
    readable.delete("content-length");
    readable.set("content-type", "application/json");
    return Response.json({ error }, { status, statusText, headers: readable });
  };
}

/** Without its parameters; a few words at the most, since it is shown. */
export function contentTypeOf(headers: Headers): string {
  const [type = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  return /^[\w.+/-]{1,100}$/.test(type.trim()) ? type.trim() : "something without a content type";
}

/** Some of a body is enough. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  if (response.body === null) return text;
  // Leaving the loop closes the connection.
  for await (const piece of response.body) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > LONGEST_BODY) break;
  }
  return text;
}

/** A web page has no words for a client. */
function bodyOf(text: string): unknown {
  const start = text.trimStart();
  return start.startsWith("<") ? undefined : (jsonIn(start) ?? start);
}

/** Reads a body, or what stands in its `error`. */
export function readableError(body: unknown): ReadableError {
  const fields = errorFields(body);
  const places: string[] = [];
  collectPlaces(body, places, 0);
  return {
    message: wordsIn(body, 0).join("; "),
    type: labelOf(fields.type),
    param: labelOf(fields.param),
    code: labelOf(fields.code),
    places,
  };
}

/** The object that has the code, the type and the parameter: Google wraps it in a list, some servers in nothing. */
function errorFields(body: unknown): Fields {
  const whole: unknown = Array.isArray(body) ? body[0] : body;
  if (!isFields(whole)) return {};
  return isFields(whole.error) ? whole.error : whole;
}

const labelOf = (value: unknown) => {
  const label = typeof value === "number" ? String(value) : value;
  return typeof label === "string" && label !== "" ? label : undefined;
};

/** Where the words are, in the order in which they are looked for. */
const WORDS = ["error", "message", "msg", "detail", "details", "errors", "title"];

function wordsIn(value: unknown, depth: number): string[] {
  if (depth > DEEPEST) return [];
  if (typeof value === "string") {
    const inner = jsonIn(value);
    if (inner !== undefined) return wordsIn(inner, depth + 1);
    return value.trim() === "" ? [] : [value];
  }
  if (Array.isArray(value)) {
    return [...new Set(value.slice(0, MOST_ITEMS).flatMap((each) => wordsIn(each, depth + 1)))];
  }
  if (!isFields(value)) return [];
  for (const name of WORDS) {
    const words = wordsIn(value[name], depth + 1);
    const place = placeOf(value.loc);
    if (words.length > 0) return place === undefined ? words : words.map((text) => `${text}: ${place}`);
  }
  return [];
}

function collectPlaces(value: unknown, places: string[], depth: number): void {
  if (depth > DEEPEST || places.length >= MOST_ITEMS) return;
  if (typeof value === "string") collectPlaces(jsonIn(value), places, depth + 1);
  else if (Array.isArray(value)) for (const each of value.slice(0, MOST_ITEMS)) collectPlaces(each, places, depth + 1);
  else if (isFields(value)) {
    const place = placeOf(value.loc) ?? labelOf(value.param);
    if (place !== undefined) places.push(place);
    for (const name of WORDS) collectPlaces(value[name], places, depth + 1);
  }
}

/** As pydantic tells where something is: `["body", "messages", 0, "content"]`. */
function placeOf(loc: unknown): string | undefined {
  if (!Array.isArray(loc)) return undefined;
  const path = loc.filter((part) => typeof part === "string" || typeof part === "number");
  return path.slice(path[0] === "body" ? 1 : 0, DEEPEST * 2).join(".") || undefined;
}

/** The object or list that a text is, if it is one. */
function jsonIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
