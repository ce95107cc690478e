/** Images by file: checked when a message names them, and read when a model is to see them. */
import { type Blobs, blobName } from "../blobs/blobs.ts";
import { filesNotFound, imageFileNotServed, imageTooLarge, notAnImage, tooManyImages } from "../resources/errors.ts";
import { extensionOf } from "../resources/file-types.ts";
import { IMAGE_EXTENSIONS, imageFilesIn, MAX_IMAGE_BYTES, mediaTypeOf } from "../resources/image.ts";
import { inLanes } from "../resources/lanes.ts";
import type { CreateMessageRequest } from "../resources/message.ts";
import type { FileDoc } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import { findFile } from "./read.ts";

/** Different files that the messages of one request may name. */
const MAX_IMAGES = 500;

const LOOKUPS = 8;

interface Tools {
  store: Store;
  blobs: Blobs | undefined;
  /** milliseconds since 1970 */
  now: () => number;
}

/** Throws the contract's 404 or 400 if a message names an image that no model could get. */
export async function assertImages(
  { store, blobs, now }: Tools,
  tenant: string,
  messages: Pick<CreateMessageRequest, "content">[],
): Promise<void> {
  const ids = imageFilesIn(messages);
  if (ids.length === 0) return;
  if (blobs === undefined) throw imageFileNotServed();
  if (ids.length > MAX_IMAGES) throw tooManyImages(MAX_IMAGES);
  const time = now();
  const files = await inLanes(LOOKUPS, ids, (id) => findFile(store, tenant, id, time));
  const missing = ids.filter((_, index) => files[index] === undefined);
  if (missing.length > 0) throw filesNotFound(missing);
  for (const file of files) if (file !== undefined) assertImage(file);
}

function assertImage({ id, filename, bytes }: FileDoc): void {
  const extension = extensionOf(filename);
  if (mediaTypeOf(extension) === undefined) throw notAnImage(extension, IMAGE_EXTENSIONS);
  if (bytes > MAX_IMAGE_BYTES) throw imageTooLarge(id, bytes, MAX_IMAGE_BYTES);
}

/** Characters of data URLs that one process remembers. */
const CAPACITY = 64 * 1024 * 1024;

/** Downloads of one process at a time. */
const DOWNLOADS = 4;

/** Bytes of files never change, so a process keeps those that it has used last, and reads a file once for many runs. */
export class Images {
  readonly #blobs: Blobs | undefined;
  readonly #known = new Map<string, string>();
  #size = 0;
  readonly #waiting: (() => void)[] = [];
  #downloads = 0;

  constructor(blobs: Blobs | undefined) {
    this.#blobs = blobs;
  }

  /** A `data:` URL of the file; undefined if its bytes are gone. */
  async url(tenant: string, { id, filename }: FileDoc, signal: AbortSignal): Promise<string | undefined> {
    const name = blobName(tenant, id);
    const known = this.#known.get(name);
    if (known !== undefined) {
      // The last one used is the last one forgotten.
      this.#known.delete(name);
      this.#known.set(name, known);
      return known;
    }
    const bytes = await this.#download(name, signal);
    if (bytes === undefined || bytes === "too large") return undefined;
    const url = `data:${mediaTypeOf(extensionOf(filename))};base64,${bytes.toString("base64")}`;
    this.#remember(name, url);
    return url;
  }

  async #download(name: string, signal: AbortSignal): Promise<Buffer | "too large" | undefined> {
    while (this.#downloads >= DOWNLOADS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#downloads += 1;
    try {
      return await this.#blobs?.read(name, MAX_IMAGE_BYTES, signal);
    } finally {
      this.#downloads -= 1;
      this.#waiting.shift()?.();
    }
  }

  #remember(name: string, url: string): void {
    if (this.#known.has(name) || url.length > CAPACITY) return;
    this.#known.set(name, url);
    this.#size += url.length;
    for (const [oldest, { length }] of this.#known) {
      if (this.#size <= CAPACITY) return;
      this.#known.delete(oldest);
      this.#size -= length;
    }
  }
}
