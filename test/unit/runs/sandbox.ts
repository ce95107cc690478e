/** A pool of sessions that does what a test says, and the files of its tenants, in memory. */
import type {
  CellCall,
  CellResult,
  CodeSession,
  CodeSessions,
  Prepared,
  SessionFile,
} from "../../../src/code/session.ts";
import type { CodeSources, GeneratedFile } from "../../../src/runs/tools/code-files.ts";
import { CodeInterpreter } from "../../../src/runs/tools/code-interpreter.ts";
import type { FileDoc } from "../../../src/store/documents.ts";
import { StoreTrouble } from "../../../src/store/trouble.ts";

type Done = Extract<CellResult, { kind: "done" }>;

/** What a cell comes to; as `print(code)` unless a test says otherwise. */
export type Cell = (call: CellCall) => CellResult | Promise<CellResult>;

export const ran = (logs: string, more: Partial<Done> = {}): CellResult => ({
  kind: "done",
  logs,
  images: [],
  undrawn: 0,
  files: [],
  failed: false,
  fresh: false,
  repeated: false,
  ms: 1,
  ...more,
});

export const PNG = Buffer.from("89504e470d0a1a0a00", "hex");

interface Live {
  id: string;
  /** results by the step and id of their call */
  ledger: Map<string, CellResult>;
  files: Map<string, Uint8Array>;
}

export class Sandbox {
  cell: Cell = ({ code }) => ran(code);
  /** what the next calls throw, one after the other */
  troubles: unknown[] = [];
  /** whether what the files' bytes are in is in trouble */
  hasTrouble = false;
  /** what each call waits for */
  gate: Promise<void> = Promise.resolve();
  readonly sessions = new Map<string, Live>();
  /** every cell that has begun, and was not answered by the ledger */
  readonly ran: (CellCall & { session: string })[] = [];
  readonly prepared: { session: string; files: readonly SessionFile[] }[] = [];
  readonly discarded: string[] = [];
  readonly uploads = new Map<string, FileDoc>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly made: GeneratedFile[] = [];
  /** what sessions hold beside: figures, written files */
  readonly contents = new Map<string, Uint8Array>();

  readonly pool: CodeSessions = {
    packages: async () => ["numpy"],
    open: ({ id }): CodeSession => ({
      prepare: (files) => this.#prepare(id, files),
      run: (call, signal) => this.#run(id, call, signal),
      read: async (path, mostBytes) => {
        const bytes = this.contents.get(path);
        return bytes === undefined || bytes.length > mostBytes ? undefined : bytes;
      },
      discard: async () => {
        this.discarded.push(id);
        this.sessions.delete(id);
      },
    }),
  };

  readonly sources: CodeSources = {
    sessions: this.pool,
    timeout: 60,
    now: Date.now,
    files: async (_tenant, ids) => new Map([...this.uploads].filter(([id]) => ids.includes(id))),
    open: async (_tenant, id) => {
      const bytes = this.blobs.get(id);
      return bytes && inOne(bytes);
    },
    save: async (_tenant, id, bytes) => {
      this.blobs.set(id, bytes);
    },
    hasBytes: async (_tenant, id) => {
      if (this.hasTrouble) throw new StoreTrouble("the test's files cannot be read");
      return this.blobs.has(id);
    },
    keep: async (_tenant, file) => {
      if (!this.blobs.has(file.id)) throw new Error(`there are no bytes of ${file.id}`);
      if (!this.made.some(({ id }) => id === file.id)) this.made.push(file);
    },
  };

  readonly tool = new CodeInterpreter(this.sources);

  async #prepare(session: string, files: readonly SessionFile[]): Promise<Prepared> {
    this.prepared.push({ session, files });
    const fresh = !this.sessions.has(session);
    this.#live(session);
    return { fresh, tooLarge: [], missing: [] };
  }

  #live(id: string): Live {
    const live = this.sessions.get(id) ?? { id, ledger: new Map(), files: new Map() };
    this.sessions.set(id, live);
    return live;
  }

  async #run(session: string, call: CellCall, signal: AbortSignal): Promise<CellResult> {
    const trouble = this.troubles.shift();
    if (trouble !== undefined) throw trouble;
    const { ledger } = this.#live(session);
    const key = `${call.step}:${call.id}`;
    const known = ledger.get(key);
    if (known?.kind === "done") return { ...known, repeated: true };
    this.ran.push({ ...call, session });
    await Promise.race([this.gate, aborted(signal)]);
    const result = await this.cell(call);
    if (result.kind === "done") ledger.set(key, result);
    else this.sessions.delete(session);
    return result;
  }
}

async function* inOne(bytes: Uint8Array) {
  yield bytes;
}

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
