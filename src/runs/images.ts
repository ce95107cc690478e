/**
 * Puts the images of files into a model call: bytes instead of ids, the newest first, as many as one request may hold.
 */
import type { ChatCompletionContentPart } from "openai/resources/chat/completions";
import { BlobTrouble } from "../blobs/trouble.ts";
import { findFile } from "../files/read.ts";
import type { ModelRequest } from "../model/types.ts";
import { noSuchFile } from "../resources/errors.ts";
import { fileInPlace } from "../resources/image.ts";
import { inLanes } from "../resources/lanes.ts";
import { Room } from "../resources/room.ts";
import type { RunError } from "../resources/run.ts";
import type { FileDoc } from "../store/documents.ts";
import { StoreTrouble } from "../store/trouble.ts";
import type { Engine } from "./engine.ts";

/** Of all images of one model call together. Characters of base64. */
const MAX_IMAGES = 50 * 1024 * 1024;

const LANES = 4;

/** Images as data that take no more than this wait for no room. Characters. */
const SMALL = 1_048_576;

/** Two of the largest model calls, which have images as data beside (context-window.ts), or many small ones. */
const room = new Room(3 * MAX_IMAGES);

/** `release`: to be called once the model call has ended. */
export type WithImages = { request: ModelRequest; release: () => void } | { error: RunError };

/**
 * The request with the images that it names, or why the model need not be asked: a file is gone. Throws `StoreTrouble`
 * if they cannot be read at the moment.
 */
export async function withImages(
  engine: Engine,
  tenant: string,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<WithImages> {
  const ids = filesIn(request).reverse();
  const data = dataIn(request);
  if (ids.length === 0 && data < SMALL) return { request, release: () => {} };
  const time = engine.now();
  const files = new Map<string, FileDoc>();
  const found = await inLanes(LANES, [...new Set(ids)], (id) => findFile(engine.store, tenant, id, time));
  for (const file of found) if (file !== undefined) files.set(file.id, file);
  const gone = ids.find((id) => !files.has(id));
  if (gone !== undefined) return { error: imageGone(gone) };
  const { fitting, size } = newestThatFit(ids, files);
  let release = () => {};
  try {
    release = await room.take(size + data, signal);
    const urls = await urlsOf(engine, tenant, fitting, signal);
    // Deleted a moment ago.
    const lost = fitting.find(({ id }) => !urls.has(id));
    if (lost === undefined) return { request: filled(request, urls), release };
    release();
    return { error: imageGone(lost.id) };
  } catch (error) {
    release();
    if (error instanceof BlobTrouble || signal.aborted) throw new StoreTrouble("an image could not be read", error);
    throw error;
  }
}

async function urlsOf(
  { images }: Engine,
  tenant: string,
  files: FileDoc[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  const load = async (file: FileDoc, stop: AbortSignal) => {
    const url = await images.url(tenant, file, stop);
    if (url !== undefined) urls.set(file.id, url);
  };
  await inLanes(LANES, files, load, signal);
  return urls;
}

const imageGone = (id: string): RunError => ({ code: "invalid_image_url", message: noSuchFile(id).message });

/** In the order of the thread, the ones that are shown twice twice. */
function filesIn({ messages }: ModelRequest): string[] {
  return messages.flatMap(({ content }) =>
    Array.isArray(content) ? content.flatMap((part) => fileOf(part) ?? []) : [],
  );
}

/** How much of the request are images as data. Characters. */
const dataIn = ({ messages }: ModelRequest): number =>
  messages.reduce((sum, { content }) => sum + (Array.isArray(content) ? content : []).reduce(addData, 0), 0);

const addData = (sum: number, part: { type: string } | ChatCompletionContentPart): number =>
  "image_url" in part && fileOf(part) === undefined ? sum + part.image_url.url.length : sum;

const fileOf = (part: { type: string } | ChatCompletionContentPart) =>
  "image_url" in part ? fileInPlace(part.image_url.url) : undefined;

/** `size`: of all that fit, in characters. */
function newestThatFit(newestFirst: string[], files: Map<string, FileDoc>): { fitting: FileDoc[]; size: number } {
  const fitting = new Set<FileDoc>();
  let size = 0;
  for (const id of newestFirst) {
    const file = files.get(id);
    if (file === undefined) continue;
    // Base64 takes four characters for three bytes.
    const own = Math.ceil(file.bytes / 3) * 4;
    if (size + own > MAX_IMAGES) break;
    size += own;
    fitting.add(file);
  }
  return { fitting: [...fitting], size };
}

function filled(request: ModelRequest, urls: Map<string, string>): ModelRequest {
  let left = MAX_IMAGES;
  // From the newest to the oldest: where the room ends, the older ones are left out.
  const messages = request.messages.toReversed().map((message) => {
    if (message.role !== "user" || !Array.isArray(message.content)) return message;
    const content = message.content.toReversed().map((part): ChatCompletionContentPart => {
      const id = fileOf(part);
      if (id === undefined || part.type !== "image_url") return part;
      const url = urls.get(id);
      left -= url?.length ?? MAX_IMAGES;
      if (url === undefined || left < 0) return { type: "text", text: `[image ${id} left out]` };
      return { ...part, image_url: { ...part.image_url, url } };
    });
    return { ...message, content: content.reverse() };
  });
  return { ...request, messages: messages.reverse() };
}
