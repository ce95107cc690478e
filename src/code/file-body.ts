/** A file as the body of an upload: multipart with one part, whose bytes pass through. */
import { randomBytes } from "node:crypto";
import type { PoolBody } from "./pool.ts";

export interface FileBody extends PoolBody {
  /** what the file's own stream threw, if it did; `Gone` if there is no such file any more, or one of another size */
  failure: unknown;
}

type Bytes = AsyncIterable<Uint8Array>;

export class Gone extends Error {}

/** `name` has no quotes and no line ends. `read` opens the file; again for a request that must be repeated. */
export function fileBody(name: string, bytes: number, read: () => Promise<Bytes | undefined>): FileBody {
  const boundary = `threadkeep-${randomBytes(18).toString("base64url")}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n` +
      "Content-Type: application/octet-stream\r\n\r\n",
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const body: FileBody = {
    type: `multipart/form-data; boundary=${boundary}`,
    bytes: head.length + bytes + tail.length,
    failure: undefined,
    async *open() {
      try {
        const source = await read();
        if (source === undefined) throw new Gone();
        yield head;
        yield* exactly(bytes, source);
        yield tail;
      } catch (error) {
        body.failure = error;
        throw error;
      }
    },
  };
  return body;
}

async function* exactly(bytes: number, source: Bytes): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const piece of source) {
    left -= piece.byteLength;
    if (left < 0) break;
    yield piece;
  }
  if (left !== 0) throw new Gone(`a file of ${bytes} bytes has ${left > 0 ? "fewer" : "more"}`);
}
