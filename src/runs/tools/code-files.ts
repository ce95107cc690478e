/** Files on their way into a session and out of it. */
import { placed } from "../../code/placed.ts";
import type { CellResult, ChangedFile, CodeSession, CodeSessions, SessionFile } from "../../code/session.ts";
import type { ToldFile } from "../../code/tool.ts";
import { derivedId, seqOfMintedId } from "../../resources/ids.ts";
import { MAX_IMAGE_BYTES } from "../../resources/image.ts";
import { Room } from "../../resources/room.ts";
import type { CodeSessionState, FileDoc, RunDoc, WrittenFile } from "../../store/documents.ts";

/** A file that code has made. */
export interface GeneratedFile {
  id: string;
  filename: string;
  bytes: number;
}

/** Where code runs, and where its files come from and go to. All of it throws `StoreTrouble` for what may pass. */
export interface CodeSources {
  sessions: CodeSessions;
  /** of one call, in seconds */
  timeout: number;
  /** milliseconds since 1970 */
  now: () => number;
  /** The tenant's files of these ids, by id, without those that are gone. */
  files(tenant: string, ids: string[]): Promise<Map<string, FileDoc>>;
  /** The bytes of a file; undefined if they are gone. */
  open(tenant: string, fileId: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Stores bytes that are no file yet: they are kept for a day. May be repeated. */
  save(tenant: string, fileId: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  hasBytes(tenant: string, fileId: string, signal?: AbortSignal): Promise<boolean>;
  /** Makes a file of stored bytes. May be repeated. */
  keep(tenant: string, file: GeneratedFile): Promise<void>;
}

/** Of one call: what is beyond cannot be linked. */
const MOST_FILES = 20;
const LARGEST_WRITTEN = 25 * 1_048_576;
const MOST_BYTES = 100 * 1_048_576;

/** Held by all runs of this process at the same moment, on the way from a session to storage. */
const room = new Room(64 * 1_048_576);

/** Files up to this size wait for no room: others' large ones do not delay them. */
const SMALL = 1_048_576;

/** Written files that a thread remembers, and that the calls of one model call may make. */
const MOST_REMEMBERED = 40;

/** That the calls of one model call show: each is stored with their step and with the next message. */
const MOST_IMAGES = 100;

/** A path that is remembered. Characters. */
const LONGEST_PATH = 250;

/** Bytes that are no file are deleted after a day (src/files/sweep.ts): before that nothing leads to them any more. */
const LINKABLE = 20 * 3_600_000;

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** What code has made, in one turn of a run. */
export class CodeFiles {
  readonly #sources: CodeSources;
  readonly #tenant: string;
  /** the step of the calls: what a repetition makes gets the same ids */
  readonly step: string;
  #imagesLeft = MOST_IMAGES;
  #filesLeft = MOST_REMEMBERED;

  constructor(sources: CodeSources, { id, internal: { tenant, reserved } }: RunDoc) {
    if (reserved === null) throw new Error(`run ${id} has no reserved ids`);
    this.#sources = sources;
    this.#tenant = tenant;
    this.step = reserved.toolStep;
  }

  /** Makes images files of the tenant's, and keeps the bytes of other files for a text that links them. */
  async take(
    session: CodeSession,
    call: string,
    result: Extract<CellResult, { kind: "done" }>,
    signal: AbortSignal,
  ): Promise<{ images: string[]; written: WrittenFile[]; lost: ChangedFile[] }> {
    const images: string[] = [];
    for (const [index, path] of result.images.entries()) {
      if (this.#imagesLeft === 0) break;
      const id = this.#idOf(call, index);
      const isImage = (bytes: Uint8Array) => PNG.equals(bytes.subarray(0, PNG.length));
      // Their sizes are not told, and hardly one is large.
      const bytes =
        (await this.#save(session, path, SMALL, id, isImage, signal)) ??
        (await this.#save(session, path, MAX_IMAGE_BYTES, id, isImage, signal));
      if (bytes === undefined) continue;
      const filename = `${call.replace(/[^A-Za-z0-9_-]/g, "").slice(0, 100)}-${index}.png`;
      await this.#sources.keep(this.#tenant, { id, filename, bytes });
      images.push(id);
      this.#imagesLeft -= 1;
    }
    const written: WrittenFile[] = [];
    const lost: ChangedFile[] = [];
    let left = MOST_BYTES;
    for (const file of result.files) {
      const hasPlace = this.#filesLeft > 0 && written.length < MOST_FILES;
      const isFit = hasPlace && file.size > 0 && file.size <= Math.min(LARGEST_WRITTEN, left);
      const id = this.#idOf(call, file.path);
      const bytes =
        isFit && file.path.length <= LONGEST_PATH
          ? await this.#save(session, file.path, file.size, id, (content) => content.length > 0, signal)
          : undefined;
      if (bytes === undefined) {
        lost.push(file);
        continue;
      }
      left -= bytes;
      this.#filesLeft -= 1;
      written.push({ path: file.path, id, bytes, at: this.#sources.now() });
    }
    return { images, written, lost };
  }

  /** How many bytes were stored; undefined if there are none, more than `most`, or others than are wanted. */
  async #save(
    session: CodeSession,
    path: string,
    most: number,
    id: string,
    isWanted: (bytes: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const release = most <= SMALL ? undefined : await room.take(most, signal);
    try {
      const bytes = await session.read(path, Math.max(most, SMALL), signal);
      if (bytes === undefined || !isWanted(bytes)) return undefined;
      await this.#sources.save(this.#tenant, id, bytes, signal);
      return bytes.length;
    } finally {
      release?.();
    }
  }

  /** Of an image by its number, of another file by its path: any text may be a path. */
  #idOf(call: string, source: number | string): string {
    return derivedId("file", seqOfMintedId(this.step), JSON.stringify([call, source]));
  }

  /** The session's state once code has run in it, and has written these. The newest of a path counts. */
  static added(state: CodeSessionState, written: WrittenFile[]): CodeSessionState {
    const others = state.files.filter(({ path }) => !written.some((file) => file.path === path));
    return { ...state, used: true, files: [...others, ...written].slice(-MOST_REMEMBERED) };
  }

  /** Those whose bytes are there. `now` in milliseconds. */
  static linkable(files: WrittenFile[], now: number): WrittenFile[] {
    return files.filter(({ at }) => at > now - LINKABLE);
  }
}

/**
 * What a session is to have: what clients have uploaded, and what its code had written before it was lost. `isLost`: it
 * was, though code has run in it since.
 */
export function sessionFiles(
  sources: CodeSources,
  tenant: string,
  uploads: FileDoc[],
  written: WrittenFile[],
  isLost: boolean,
): SessionFile[] {
  const opened = (id: string) => (signal: AbortSignal) => sources.open(tenant, id, signal);
  return [
    ...uploads.map(({ id, filename, bytes }) => ({ path: id, alias: filename, bytes, open: opened(id) })),
    ...written
      .filter(({ path }) => !path.includes("/"))
      .map(({ path, id, bytes }) => ({ path, bytes, restored: !isLost, open: opened(id) })),
  ];
}

/** What the model is told of uploaded files. `written`: what code has written keeps its names. */
export function toldFiles(uploads: FileDoc[], written: Pick<WrittenFile, "path" | "bytes">[]): ToldFile[] {
  const own = uploads.map(({ id, filename, bytes }) => ({ path: id, alias: filename, bytes }));
  const others = written.map(({ path, bytes }) => ({ path, alias: "", bytes }));
  return placed([...own, ...others])
    .slice(0, own.length)
    .map(({ file: { path, alias: filename, bytes }, isLinked, isTooLarge }) => {
      return { path, filename, bytes, isLinked, isTooLarge };
    });
}
