/**
 * The forms in which servers write an answer: events, one JSON document although a stream was asked for, or a document
 * a line.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { APIError } from "openai";
import { contentTypeOf, readableError } from "./error-body.ts";
import { type AnswerPiece, type Fields, isFields, PieceReader } from "./pieces.ts";
import { BrokenAnswer, NotAnAnswer } from "./types.ts";

/** Of an event, or of an answer in one document: many times what a run may keep of it. Characters. */
const LONGEST_DOCUMENT = 16_000_000;

/** A parser of one form; what it finds, it gives to `Chunks`. */
export interface Form {
  feed(text: string): void;
  end(): void;
}

/** White space before an answer, at the most. Characters. */
const LONGEST_BLANK = 10_000;

/** By the first character, since servers err about the content type; undefined as long as there is none. */
export function formOf(head: string, isAll: boolean, chunks: Chunks): Form | undefined {
  const start = head.trimStart();
  if (start === "" && !isAll && head.length < LONGEST_BLANK) return undefined;
  if (start.startsWith("<")) chunks.refuse();
  return start.startsWith("{") || start.startsWith("[") ? new Documents(chunks) : new EventStream(chunks);
}

/** The chunks of an answer, whatever their form. */
export class Chunks {
  readonly #response: Pick<Response, "headers" | "status">;
  readonly #reader = new PieceReader();
  #pieces: AnswerPiece[] = [];
  #isAnswer = false;
  #isComplete = false;
  #failure: Error | undefined;

  constructor(response: Pick<Response, "headers" | "status">) {
    this.#response = response;
  }

  /** Whether the server said that this is all. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Why nothing more can be read. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The pieces that were read since the last time. */
  take(): AnswerPiece[] {
    if (this.#pieces.length === 0) return NO_PIECES;
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** Reads a chunk, or what stands in the place of one. What is wrong behind the answer's end is passed over. */
  read(text: string, isError = false): void {
    if (this.#failure !== undefined || this.#isComplete) return;
    try {
      this.#read(parsed(text), isError);
    } catch (error) {
      if (this.#reader.isFinished) return;
      if (error instanceof APIError) this.#failure = error;
      else this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** The server says that this is all: what it has said so far is whole, even if it gave no reason for its end. */
  complete(): void {
    if (this.#failure !== undefined) return;
    this.#isComplete = true;
    if (this.#reader.hasSpoken && !this.#reader.isFinished)
      this.#pieces.push({ text: "", calls: [], finishReason: "stop", usage: undefined });
  }

  /** The connection has ended. */
  end(): void {
    if (!this.#isAnswer) this.refuse();
  }

  fail(message: string): void {
    const { headers, status } = this.#response;
    this.#failure ??= new BrokenAnswer(message, status, contentTypeOf(headers));
  }

  /** What came is no answer at all. */
  refuse(): void {
    const { headers, status } = this.#response;
    this.#failure ??= new NotAnAnswer(status, contentTypeOf(headers));
  }

  #read(chunk: Fields, isError: boolean): void {
    this.#isAnswer ||= "choices" in chunk;
    const error = isError ? (chunk.error ?? chunk) : errorIn(chunk);
    if (error !== undefined) throw new APIError(undefined, readableError(error), undefined, this.#response.headers);
    this.#pieces.push(this.#reader.read(chunk));
  }
}

const NO_PIECES: AnswerPiece[] = [];

class EventStream implements Form {
  readonly #chunks: Chunks;
  readonly #parser = createParser({
    maxBufferSize: LONGEST_DOCUMENT,
    onEvent: (event) => this.#hear(event),
    onError: ({ type }) => {
      if (type === "max-buffer-size-exceeded") this.#chunks.fail(TOO_LONG);
    },
  });

  constructor(chunks: Chunks) {
    this.#chunks = chunks;
  }

  feed(text: string): void {
    // A parser whose buffer has overflowed throws.
    if (this.#chunks.failure === undefined) this.#parser.feed(text);
  }

  /** The last event counts even if the connection ends without the empty line behind it. */
  end(): void {
    this.feed("\n\n");
    this.#chunks.end();
  }

  /** Most begin with a brace. What does not is `[DONE]`, or a sign of life that means nothing here. */
  #hear({ event, data }: EventSourceMessage): void {
    const text = data.charCodeAt(0) === BRACE ? data : data.trim();
    if (text.charCodeAt(0) === BRACE) this.#chunks.read(text, event === "error");
    else if (text === "[DONE]") this.#chunks.complete();
    else if (event === "error") this.#chunks.read(JSON.stringify({ error: { message: text } }));
  }
}

const BRACE = 0x7b;
const TOO_LONG = "the model's answer holds a document that is too long";

class Documents implements Form {
  readonly #chunks: Chunks;
  #text = "";

  constructor(chunks: Chunks) {
    this.#chunks = chunks;
  }

  feed(text: string): void {
    this.#text += text;
    if (this.#text.length > LONGEST_DOCUMENT) this.#chunks.fail(TOO_LONG);
  }

  end(): void {
    for (const document of documentsIn(this.#text)) this.#chunks.read(document);
    this.#chunks.end();
    this.#chunks.complete();
  }
}

/** One document, a list of them, or one a line. */
function documentsIn(text: string): string[] {
  try {
    const whole: unknown = JSON.parse(text);
    return Array.isArray(whole) ? whole.map((item) => JSON.stringify(item)) : [text];
  } catch {
    return text.split("\n").filter((line) => line.trim() !== "");
  }
}

/** Throws for half a document: what the other half said is lost, and perhaps it was a part of the answer. */
function parsed(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : {};
  } catch {
    // V8's own error quotes the text, which is not for the log.
    throw new Error("the model's answer holds something that is no JSON");
  }
}

/** What a server says of an error, in a completion's place or in its middle. */
function errorIn(chunk: Fields): unknown {
  const { error } = chunk;
  if (error !== undefined && error !== null && error !== false && error !== "") {
    return isFields(error) && Object.keys(error).length === 0 ? undefined : error;
  }
  return chunk.object === "error" ? chunk : undefined;
}
