/** Reads a form (multipart/form-data) whose file goes on as it comes: nothing of it is kept here. */
import { pipeline } from "node:stream/promises";
import type { BusboyFileStream, BusboyInstance } from "@fastify/busboy";
import { z } from "zod";
import {
  ApiError,
  brokenForm,
  filenameTooLong,
  formTooLarge,
  missingField,
  noFilename,
  notMultipart,
} from "../resources/errors.ts";
import { cleanFilename, MAX_FILENAME } from "../resources/file.ts";
import { ClientLeft, type Incoming } from "./incoming.ts";

/** There is a file, and up to four fields. */
const MAX_PARTS = 16;

/** Of what surrounds the file: fields, their names, headers of parts, and the rest together. Bytes. */
const MAX_FIELD = 1_024;
const MAX_FIELD_NAME = 100;
const MAX_PART_HEADER = 8_192;
const MAX_REST = 1_048_576;

/** A part's bytes, for documents about the API. */
export const binaryString = z.string().meta({ contentMediaType: "application/octet-stream" });

/** What is to become of the file. */
export interface FormRules<T> {
  /** the name of the part that holds it */
  field: string;
  maxBytes: number;
  tooLarge: () => Error;
  /** Takes the file in. `fields` are those that stand before it. Throws to refuse it before it is read. */
  take(filename: string, bytes: AsyncIterable<Uint8Array>, fields: Fields, signal: AbortSignal): Promise<T>;
}

export type Fields = ReadonlyMap<string, string>;

export interface Form<T> {
  fields: Fields;
  /** undefined if the form has none */
  file: { filename: string; taken: T } | undefined;
}

/**
 * The whole form, once the file was taken in. Throws the 400 for what is no complete form or too large, the 408 for a
 * client that stops sending, `ClientLeft`, and what `take` throws.
 */
export async function readForm<T>(incoming: Incoming, rules: FormRules<T>): Promise<Form<T>> {
  const parser = await parserFor(incoming.contentType, rules);
  const form = new Reading(rules);
  const left = () => form.end(incoming.left.reason);
  incoming.left.addEventListener("abort", left, { once: true });
  // While the library was loaded.
  if (incoming.left.aborted) left();
  form.listen(parser);
  try {
    await pipeline(form.counted(incoming.chunks(form.ended)), parser, { signal: form.ended });
    return await form.result();
  } catch (error) {
    // Where the file could not be taken in, the parser's error follows from that.
    if (form.isGivenUp) await form.file?.catch(() => {});
    // What the parser makes of a body that ends early, or of a wrong one.
    form.end(brokenForm());
    await form.file?.catch(() => {});
    throw form.ended.reason ?? error;
  }
}

/** One form while it is read. The first failure ends everything, and tells why. */
class Reading<T> {
  readonly #rules: FormRules<T>;
  readonly #fields = new Map<string, string>();
  readonly #ended = new AbortController();
  #stream: BusboyFileStream | undefined;
  /** whether the file was left before its end, by what takes it in */
  isGivenUp = false;
  file: Promise<Form<T>["file"]> | undefined;

  constructor(rules: FormRules<T>) {
    this.#rules = rules;
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(error: unknown): void {
    this.#ended.abort(error);
  }

  async result(): Promise<Form<T>> {
    return { fields: this.#fields, file: await this.file };
  }

  listen(parser: BusboyInstance): void {
    parser.on("file", (name, stream, filename) => {
      stream.on("error", () => {});
      const isWanted = name === this.#rules.field && this.file === undefined && !this.ended.aborted;
      if (isWanted) this.#take(stream, filename ?? "");
      else stream.resume();
    });
    parser.on("field", (name, value, _, isCut) => {
      if (isCut) this.end(formTooLarge(`a field has more than ${MAX_FIELD} bytes`));
      else this.#fields.set(name, value);
    });
    for (const limit of ["partsLimit", "filesLimit", "fieldsLimit"] as const) {
      parser.on(limit, () => this.end(formTooLarge(`it has more than ${MAX_PARTS} parts`)));
    }
  }

  /** The body as it is, unless there is too much of it besides the file. */
  async *counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    try {
      for await (const chunk of chunks) {
        yield chunk;
        bytes += chunk.byteLength;
        if (bytes - (this.#stream?.bytesRead ?? 0) > MAX_REST) throw formTooLarge("it holds too much besides its file");
      }
    } catch (error) {
      // What broke the connection means that the client has left.
      this.end(error instanceof ApiError ? error : new ClientLeft());
      throw error;
    }
  }

  #take(stream: BusboyFileStream, filename: string): void {
    this.#stream = stream;
    const { take, tooLarge } = this.#rules;
    stream.once("limit", () => this.end(tooLarge()));
    stream.once("error", () => this.isGivenUp || this.end(brokenForm()));
    this.ended.addEventListener("abort", () => stream.destroy(brokenForm()), { once: true });
    const taken = async () => take(filename, this.#followed(stream as AsyncIterable<Buffer>), this.#fields, this.ended);
    this.file = taken().then((value) => ({ filename, taken: value }));
    this.file.catch((error) => this.end(error));
  }

  async *#followed(stream: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      let isTaken = false;
      try {
        yield chunk;
        isTaken = true;
      } finally {
        if (!isTaken) this.isGivenUp = true;
      }
    }
  }
}

/** The library is loaded with the first form. */
async function parserFor(
  contentType: string,
  { field, maxBytes }: Pick<FormRules<unknown>, "field" | "maxBytes">,
): Promise<BusboyInstance> {
  if (!/^multipart\/form-data\b/i.test(contentType)) throw notMultipart();
  const { Busboy } = await import("@fastify/busboy");
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      defCharset: "utf8",
      // Some clients name no file where none is needed.
      isPartAFile: (name, _, filename) => name === field || filename !== undefined,
      limits: {
        files: MAX_PARTS,
        fields: MAX_PARTS,
        parts: MAX_PARTS,
        fieldSize: MAX_FIELD,
        fieldNameSize: MAX_FIELD_NAME,
        headerSize: MAX_PART_HEADER,
        headerPairs: MAX_PARTS,
        fileSize: maxBytes,
      },
    });
  } catch {
    throw notMultipart();
  }
}

/**
 * The name of the file of a form, as it is kept. Throws the 400 if there is no file, or one without a name. `given`:
 * what its part says.
 */
export function filenameIn(given: string | undefined, field: string, fields: Fields): string {
  if (given === undefined && !fields.has(field)) throw missingField(field);
  const filename = cleanFilename(given ?? "");
  if (filename === "") throw noFilename(field);
  if (filename.length > MAX_FILENAME) throw filenameTooLong(field, MAX_FILENAME);
  return filename;
}
