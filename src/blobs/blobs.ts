/**
 * Azure Blob Storage, where the bytes of files are. The SDK is loaded with the first call: a request that needs no file
 * does not wait for it. What goes wrong there is thrown as `BlobTrouble`.
 */
import type { Readable } from "node:stream";
import type { ContainerClient } from "@azure/storage-blob";
import { Blocks, type StagedBlocks } from "./blocks.ts";
import { type BlobSettings, connectContainer } from "./connection.ts";
import { answered, flowing, PATIENCE } from "./patience.ts";
import { asBlobTrouble, isMissing } from "./trouble.ts";

/** Bytes as they come: a request's file, a blob that is read. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** Bytes that were taken in and that no reader sees yet. */
export interface Received {
  bytes: number;
  /** Makes them the content of the blob. May be repeated. */
  commit(): Promise<void>;
}

/**
 * A blob that is being read: the length of what `stream` yields. Abort the signal to stop reading early. A stream that
 * breaks off, or brings nothing for a while, throws `BlobTrouble`.
 */
export interface OpenBlob {
  bytes: number;
  stream: ByteStream;
}

export interface ListedBlob {
  name: string;
  /** milliseconds since 1970 */
  modifiedAt: number;
}

/** Where to begin, and how much to read at the most; the whole blob if absent. Bytes. */
export interface ByteRange {
  offset: number;
  count?: number;
}

/** The blob of a file. */
export const blobName = (tenant: string, fileId: string) => `${tenant}/${fileId}`;

/** The blob of the text that was read out of a file. */
export const textName = (tenant: string, fileId: string) => `${blobName(tenant, fileId)}.text`;

export class Blobs {
  readonly #settings: BlobSettings;
  readonly #patience: number;
  #container: Promise<ContainerClient> | undefined;

  /** `patience`: until an operation is answered, in milliseconds. */
  constructor(settings: BlobSettings, patience = PATIENCE) {
    this.#settings = settings;
    this.#patience = patience;
  }

  /**
   * Takes a stream in, at most three blocks of memory at a time. Nothing is visible before `commit`: what is never
   * committed vanishes by itself. Rejects with the error of the stream, if that fails.
   */
  async receive(name: string, source: ByteStream, signal?: AbortSignal): Promise<Received> {
    const blocks = new Blocks(await this.#blob(name), signal, this.#patience);
    const { bytes, ids, whole } = await blocks.take(source, FIRST_PREFIX, { keepSmall: true });
    return { bytes, commit: () => (whole === undefined ? this.commit(name, ids) : this.#write(name, whole)) };
  }

  /** Writes a stream as the whole content of the blob, in place of what is there; answers with the number of bytes. */
  async put(name: string, source: ByteStream, signal?: AbortSignal): Promise<number> {
    const received = await this.receive(name, source, signal);
    await received.commit();
    return received.bytes;
  }

  /**
   * Stages a stream as blocks of the blob, whose names begin with `prefix`: all prefixes of a blob must have the same
   * length. They vanish after a week if no `commit` names them.
   */
  async stage(name: string, prefix: string, source: ByteStream, signal?: AbortSignal): Promise<StagedBlocks> {
    const { bytes, ids } = await new Blocks(await this.#blob(name), signal, this.#patience).take(source, prefix);
    return { bytes, ids };
  }

  /** Makes these blocks, in this order, the content of the blob. May be repeated with the same list. */
  async commit(name: string, ids: string[]): Promise<void> {
    const blob = await this.#blob(name);
    const done = this.#answered((abortSignal) => blob.commitBlockList(ids, { abortSignal }));
    await done.catch(asBlobTrouble("commit"));
  }

  /** The blob's bytes, or undefined if there is no such blob. */
  async open(name: string, range: ByteRange = { offset: 0 }, signal?: AbortSignal): Promise<OpenBlob | undefined> {
    const blob = await this.#blob(name);
    const { offset, count } = range;
    try {
      const { contentLength = 0, readableStreamBody } = await this.#answered(
        (abortSignal) => blob.download(offset, count, { maxRetryRequests: 3, abortSignal }),
        signal,
      );
      if (readableStreamBody === undefined) throw new Error("a download was answered without a stream");
      const body = readableStreamBody as Readable;
      return { bytes: contentLength, stream: flowing<Buffer>(this.#patience, body, () => body.destroy()) };
    } catch (error) {
      if (isMissing(error)) return undefined;
      return asBlobTrouble("download")(error);
    }
  }

  /** The whole blob in memory: "too large" if it has more than `maximum` bytes, undefined if there is none. */
  async read(name: string, maximum: number, signal?: AbortSignal): Promise<Buffer | "too large" | undefined> {
    // One byte more than allowed tells.
    const blob = await this.open(name, { offset: 0, count: maximum + 1 }, signal);
    if (blob === undefined) return undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.stream) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    return bytes.length > maximum ? "too large" : bytes;
  }

  /** Deletes the blob; none is no trouble. */
  async delete(name: string): Promise<void> {
    const blob = await this.#blob(name);
    await this.#answered((abortSignal) => blob.deleteIfExists({ abortSignal })).catch(asBlobTrouble("delete"));
  }

  /** All blobs in the order of their names, a page of at most `size` at a time. */
  async *pages(size: number): AsyncGenerator<ListedBlob[]> {
    const container = await this.#connected();
    let token: string | undefined;
    for (;;) {
      const continued = token === undefined ? {} : { continuationToken: token };
      const next = await this.#answered((abortSignal) =>
        container
          .listBlobsFlat({ abortSignal })
          .byPage({ maxPageSize: size, ...continued })
          .next(),
      ).catch(asBlobTrouble("list"));
      if (next.done) return;
      yield next.value.segment.blobItems.map(({ name, properties }) => ({
        name,
        modifiedAt: properties.lastModified.getTime(),
      }));
      token = next.value.continuationToken;
      if (token === undefined || token === "") return;
    }
  }

  async #write(name: string, bytes: Buffer): Promise<void> {
    const blob = await this.#blob(name);
    const done = this.#answered((abortSignal) => blob.upload(bytes, bytes.length, { abortSignal }));
    await done.catch(asBlobTrouble("commit"));
  }

  #answered<T>(operation: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return answered(this.#patience, signal, operation);
  }

  async #blob(name: string) {
    return (await this.#connected()).getBlockBlobClient(name);
  }

  #connected(): Promise<ContainerClient> {
    const connect = (signal: AbortSignal) => connectContainer(this.#settings, signal);
    const container = this.#container ?? this.#answered(connect).catch(asBlobTrouble("connect"));
    this.#container = container;
    container.catch(() => {
      if (this.#container === container) this.#container = undefined;
    });
    return container;
  }
}

const FIRST_PREFIX = "block-";
