/** A response body of bytes that come from elsewhere, such as a file's. */
import type { Connection } from "./connections.ts";

/** What is written at once: a client that does not take so much in time is cut off. Bytes. */
const PIECE = 65_536;

interface Content {
  bytes: number;
  filename: string;
  stream: AsyncIterable<Uint8Array>;
  /** Called once, when no more of it is wanted. */
  stop: () => void;
  /** Called if the stream fails: the client's connection is cut then. */
  failed: (error: unknown) => void;
}

export class BinaryStream implements AsyncIterable<Uint8Array> {
  readonly #content: Content;
  readonly #connection: Connection | undefined;
  #ended = false;
  #settle: () => void = () => {};

  /** Resolves when the client has taken everything, or is gone. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(content: Content, connection: Connection | undefined) {
    this.#content = content;
    this.#connection = connection;
    connection?.onClose(() => this.#end());
  }

  /** What the answer says about its body. */
  get headers(): Record<string, string> {
    const { bytes, filename } = this.#content;
    return {
      "content-type": "application/octet-stream",
      "content-length": String(bytes),
      "content-disposition": disposition(filename),
    };
  }

  /** Never throws: with HTTP streaming on, the host would let the client hang. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#content.stream) {
        for (let from = 0; from < chunk.length && !this.#ended; from += PIECE) {
          yield chunk.subarray(from, from + PIECE);
          await this.#connection?.drained();
        }
        if (this.#ended) return;
      }
    } catch (error) {
      if (!this.#ended) this.#content.failed(error);
      this.#connection?.cut();
    } finally {
      this.#end();
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#content.stop();
    this.#settle();
  }
}

/** A name with other characters than ASCII's stands there twice, as RFC 6266 wants it. */
function disposition(filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  if (ascii === filename) return `attachment; filename="${filename}"`;
  const encoded = encodeURIComponent(filename).replace(/['()*]/g, (each) => `%${each.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
