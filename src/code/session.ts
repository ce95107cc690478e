/**
 * Sessions that run Python for the code interpreter, one for each thread: what the engine asks of them, and what it
 * gets back. All that comes out of a session is untrusted: the user's own code may have made it.
 */
import type { Details } from "../log.ts";

/** The folder that code works in. Paths of files are relative to it: `o.csv`, `out/o.csv`. */
export const ROOT = "/mnt/data";

/** The pool of sessions. */
export interface CodeSessions {
  /** The session of a thread, which need not exist yet. Makes no request. */
  open(ref: SessionRef): CodeSession;
  /**
   * Names of the libraries that code may import besides Python's own, asked for once; undefined if the pool did not
   * tell. Never throws.
   */
  packages(): Promise<readonly string[] | undefined>;
}

export interface SessionRef {
  /**
   * Names the session in the pool: 4–128 letters, digits and hyphens. The id is all that protects a session from other
   * tenants: random, kept in the thread, never shown and never logged.
   */
  id: string;
}

/** One Python process with its folder. It vanishes by itself when it is not used for a while. */
export interface CodeSession {
  /**
   * Uploads those of `files` that the session does not have. To be called once a drive before the first `run`, and
   * again after a `run` that ended with "timeout" or "died", or that was `fresh` against expectation. Throws
   * CodeTrouble, what `open` of a file threw, or the signal's reason.
   */
  prepare(files: readonly SessionFile[], signal: AbortSignal): Promise<Prepared>;

  /**
   * Runs a cell. A call whose result the session still knows is not run again: the result comes with `repeated`. After
   * "timeout" and "died" the session has been destroyed. Throws CodeTrouble or the signal's reason; an aborted call may
   * go on in the session until `discard`.
   */
  run(call: CellCall, signal: AbortSignal): Promise<CellResult>;

  /** The bytes of a file; undefined if there is no such file, or it has more than `maxBytes`. Throws as `run` does. */
  read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;

  /** Destroys the session and stops what it runs, if that can be done within seconds. Never throws. */
  discard(): Promise<void>;
}

/** A file that a session is to have. */
export interface SessionFile {
  /** its name in the session's folder, without a directory: the id of an upload, the name of a generated file */
  path: string;
  /** a second name for the same file, such as the user's own, which it gets if no other file has it */
  alias?: string;
  bytes: number;
  /**
   * Of a file that code once wrote: whether only a fresh session gets it, as its code may have deleted it since. Absent
   * for a client's upload.
   */
  restored?: boolean;
  /** What the file holds; undefined if it no longer exists. */
  open(signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export interface Prepared {
  /** whether the session has run no code yet: it has no variables */
  fresh: boolean;
  /** paths of files that are too large for the session */
  tooLarge: string[];
  /** paths of files that no longer exist, or whose names the pool does not take */
  missing: string[];
}

export interface CellCall {
  /** The step that the call belongs to: all its results stay in the session for as long as its calls run. */
  step: string;
  /** Names the call in its step: the session knows a call by both, and runs it once. */
  id: string;
  code: string;
  /** whole seconds, 1–200 */
  timeout: number;
}

export type CellResult =
  | {
      kind: "done";
      /** what the code printed, then the value of its last expression or its traceback; some 1,000,000 characters */
      logs: string;
      /** paths of PNG files for `read`, in the order drawn; at most 20 */
      images: string[];
      /** how many more the code has drawn */
      undrawn: number;
      /** files that the code made or changed, in the order of their paths; without images and uploads */
      files: ChangedFile[];
      /** whether the code ended with an exception, whose traceback is in `logs` */
      failed: boolean;
      /** whether the session had run no code before: variables of earlier calls are gone */
      fresh: boolean;
      /** whether the call had run before, and was not run again */
      repeated: boolean;
      /** how long the code ran, in milliseconds */
      ms: number;
    }
  /** The code did not end within the time of its call. */
  | { kind: "timeout" }
  /** The code took its session with it: by its use of memory, or in another way. */
  | { kind: "died"; reason: "memory" | "crash" };

export interface ChangedFile {
  path: string;
  /** bytes */
  size: number;
}

/** The pool of sessions did not do what it was asked. The message is for the log: no id, and no word of a user's. */
export class CodeTrouble extends Error {
  /** Whether the same may work later. If not, it never will until an operator changes something. */
  readonly retryable: boolean;
  /** Whether nothing is wrong but that all sessions are taken, or that the pool has too much to do. */
  readonly isFull: boolean;
  /** Milliseconds that the pool asked to wait, if it did. */
  readonly retryAfter: number | undefined;
  /** More for the log: the status, the operation, what an operator can do. */
  readonly details: Details;

  constructor(
    message: string,
    about: { retryable: boolean; isFull?: boolean; retryAfter?: number | undefined; details?: Details },
  ) {
    super(message);
    this.name = "CodeTrouble";
    this.retryable = about.retryable;
    this.isFull = about.isFull ?? false;
    this.retryAfter = about.retryAfter;
    this.details = about.details ?? {};
  }
}
