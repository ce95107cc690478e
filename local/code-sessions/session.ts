/** One session: a sandbox that answers one request after the other, and what the server remembers of its executions. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { fileNotFound, invalid } from "./errors.ts";
import type { Execution, Order } from "./executions.ts";
import { joined } from "./names.ts";
import { type EndReason, Missing, type Sandbox, SandboxEnded } from "./sandbox.ts";

export interface FileEntry {
  name: string;
  directory: string;
  type: "file" | "directory";
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}

/** Milliseconds for what is no execution: a listing, or a piece of a file. */
const LONGEST_OPERATION = 30_000;
/** Bytes of a file that the sandbox sends at once. */
export const PIECE = 8 * 2 ** 20;
const MOST_EXECUTIONS = 20;
const MOST_BYTES_A_CHARACTER = 4;
export const MOST_FILES = 10_000;

// What a sandbox says of itself, by code that may not be ours any more.
const description = z.object({ type: z.enum(["file", "directory"]), size: z.number().min(0), modified: z.number() });
const entrySchema = description.extend({ name: z.string().max(1000), directory: z.string().max(10_000) });
const nothing = z.object({});
const listing = z.object({ entries: z.array(entrySchema).max(MOST_FILES) });
const outcome = z.object({ failed: z.boolean(), result: z.string(), out: z.int().min(0) });

/** Ends that an execution tells its client of. */
const ENDS: Record<EndReason, [code: string, message: string]> = {
  timeout: ["ExecutionTimedOut", "The execution did not end in time. Its session was ended."],
  memory: ["SessionOutOfMemory", "The session used too much memory and was ended."],
  crash: ["SessionCrashed", "The session crashed."],
  forged: ["SessionCrashed", "The session crashed."],
  closed: ["SessionDeleted", "The session was deleted."],
};

export class Session {
  readonly identifier: string;
  readonly etag = randomUUID();
  readonly createdAt: number;
  lastAccessedAt: number;
  /** Requests that wait or are being answered. */
  busy = 0;
  readonly #sandbox: Promise<Sandbox>;
  readonly #executions = new Map<string, Execution>();
  #queue: Promise<unknown> = Promise.resolve();
  #end: EndReason | undefined;

  constructor(identifier: string, sandbox: Promise<Sandbox>, now: number) {
    this.identifier = identifier;
    this.createdAt = now;
    this.lastAccessedAt = now;
    this.#sandbox = sandbox;
    sandbox.then(
      async (started) => {
        if (this.#end !== undefined) started.kill(this.#end);
        await started.exited;
        this.#end ??= started.ended;
      },
      () => {
        this.#end ??= "crash";
      },
    );
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  /** The process of its sandbox, once it runs. */
  async pid(): Promise<number> {
    return (await this.#sandbox).pid;
  }

  /** Kills it, whatever it is doing. Resolves when its process is gone. */
  async close(): Promise<void> {
    this.#end ??= "closed";
    const sandbox = await this.#sandbox.catch(() => undefined);
    sandbox?.kill("closed");
    await sandbox?.exited;
  }

  execution(id: string): Execution | undefined {
    return this.#executions.get(id);
  }

  /** Resolves with the execution as an answer shows it: at its end, or at once if it is asynchronous. */
  async execute(order: Order, id: string): Promise<Execution> {
    const execution: Execution = {
      id,
      identifier: this.identifier,
      executionType: order.isAsynchronous ? "Asynchronous" : "Synchronous",
      status: "Running",
    };
    this.#remember(execution);
    const done = this.#inTurn((sandbox) => run(sandbox, order)).then(
      (result) => Object.assign(execution, result),
      (error: unknown) => Object.assign(execution, failure(error)),
    );
    if (order.isAsynchronous) done.catch(() => {});
    else await done;
    return execution;
  }

  async upload(folder: string, name: string, content: Uint8Array): Promise<FileEntry> {
    const fields = { directory: folder, name };
    const { told } = await this.#file("put", fields, description, content).catch((error: unknown) => {
      if (error instanceof Missing) throw invalid("There is something else under this name.");
      throw error;
    });
    return { name, directory: folder, ...told };
  }

  /** What stands below a folder; at most MOST_FILES. Throws 404 if there is no such folder. */
  async list(folder: string, isRecursive: boolean): Promise<FileEntry[]> {
    const fields = { path: folder, recursive: isRecursive, most: MOST_FILES };
    return (await this.#file("list", fields, listing).catch(orNotFound(folder))).told.entries;
  }

  async describe(folder: string, name: string): Promise<FileEntry> {
    const fields = { path: joined(folder, name) };
    const { told } = await this.#file("stat", fields, description).catch(orNotFound(name));
    return { name, directory: folder, ...told };
  }

  /** A piece of a file from this byte on, with the size of the whole. */
  async read(folder: string, name: string, from: number): Promise<{ size: number; bytes: Uint8Array }> {
    const fields = { path: joined(folder, name), from, most: PIECE };
    const { told, bytes } = await this.#file("get", fields, description).catch(orNotFound(name));
    return { size: told.size, bytes };
  }

  async remove(folder: string, name: string): Promise<void> {
    await this.#file("remove", { path: joined(folder, name) }, nothing).catch(orNotFound(name));
  }

  #file<T>(
    operation: string,
    fields: object,
    schema: z.ZodType<T>,
    content?: Uint8Array,
  ): Promise<{ told: T; bytes: Uint8Array }> {
    return this.#inTurn(async (sandbox) => {
      const { head, bytes } = await sandbox.ask(operation, fields, LONGEST_OPERATION, content);
      return { told: schema.parse(head), bytes };
    });
  }

  /**
   * One after the other, in the order of their arrival. An answer that cannot be understood ends the session. Throws
   * Missing, SandboxEnded and NoSandbox.
   */
  #inTurn<T>(work: (sandbox: Sandbox) => Promise<T>): Promise<T> {
    this.busy += 1;
    const turn = this.#queue.then(async () => {
      try {
        const sandbox = await this.#sandbox;
        return await work(sandbox).catch((error: unknown) => {
          if (error instanceof Missing || error instanceof SandboxEnded) throw error;
          sandbox.kill("forged");
          throw new SandboxEnded("forged");
        });
      } catch (error) {
        if (error instanceof SandboxEnded) this.#end ??= error.reason;
        throw error;
      } finally {
        this.busy -= 1;
      }
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  #remember(execution: Execution): void {
    this.#executions.delete(execution.id);
    this.#executions.set(execution.id, execution);
    const [oldest] = this.#executions.keys();
    if (this.#executions.size > MOST_EXECUTIONS && oldest !== undefined) this.#executions.delete(oldest);
  }
}

async function run(sandbox: Sandbox, order: Order): Promise<Pick<Execution, "status" | "result">> {
  const begin = performance.now();
  const { length, code } = order;
  const limit = length * MOST_BYTES_A_CHARACTER;
  const frame = await sandbox.ask("run", { limit }, order.timeout, Buffer.from(code));
  const ms = Math.round(performance.now() - begin);
  const { failed, result, out } = outcome.parse(frame.head);
  // Told again before it is passed on: what cannot be written as JSON throws here.
  const value: unknown = JSON.parse(JSON.stringify(JSON.parse(result)));
  return {
    status: failed ? "Failed" : "Succeeded",
    result: {
      stdout: cut(frame.bytes.subarray(0, out).toString(), length),
      stderr: cut(frame.bytes.subarray(out).toString(), length),
      executionResult: value,
      executionTimeInMilliseconds: ms,
    },
  };
}

/** At most so many UTF-16 units, without half a character at the end. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = text.charCodeAt(length - 1);
  return text.slice(0, end >= 0xd800 && end <= 0xdbff ? length - 1 : length);
}

function failure(error: unknown): Pick<Execution, "status" | "error"> {
  if (!(error instanceof SandboxEnded)) throw error;
  const [code, message] = ENDS[error.reason];
  return { status: "Failed", error: { error: { code, message } } };
}

function orNotFound(name: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof Missing) throw fileNotFound(name);
    throw error;
  };
}
