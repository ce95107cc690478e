/**
 * code_interpreter: the model runs Python in a session of its thread, and shows what it has drawn and written
 * (docs/contract.md, "code_interpreter in runs").
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type CellResult, type CodeSession, CodeTrouble } from "../../code/session.ts";
import { codeTool, died, NO_CODE, type ToldFile, timedOut } from "../../code/tool.ts";
import { sessionId } from "../../resources/ids.ts";
import { SERVER_ERROR } from "../../resources/run.ts";
import type { CodeToolCall, HostedToolCall } from "../../resources/step.ts";
import type { CodeSessionState, FileDoc, HostedRecord, RunDoc, ThreadDoc } from "../../store/documents.ts";
import type { Marker } from "../citations.ts";
import { CodeStream, codeOf } from "../code-stream.ts";
import { fileLinks } from "../file-links.ts";
import { CodeFiles, type CodeSources, sessionFiles, toldFiles } from "./code-files.ts";
import { callOf, type Done, Readable } from "./code-outputs.ts";
import {
  type AskedCall,
  type DoneCall,
  type HostedResults,
  type HostedTool,
  type HostedUse,
  type PastCall,
  type Readiness,
  type ThreadChanges,
  ToolTrouble,
} from "./hosted-tool.ts";

/** How long before the end of its run the code is to end. Seconds. */
const BEFORE_EXPIRY = 2;

/** For a session that is to vanish, beside its run that is to end. Milliseconds. */
const DISCARD_PATIENCE = 1_000;

export class CodeInterpreter implements HostedTool {
  readonly type = "code_interpreter";
  readonly names = ["python", "code_interpreter"] as const;
  readonly isReplayed = true;
  readonly hasEffects = true;
  readonly #sources: CodeSources;
  readonly #kept = new Set<string>();
  #uploads: FileDoc[] = [];
  #told: ToldFile[] = [];
  #packages: readonly string[] | undefined;
  /** of the thread, as this drive has changed it */
  #state: CodeSessionState | undefined;
  #isSaved = true;
  /** the one that has been prepared */
  #session: CodeSession | undefined;
  /** whether no code has run in it yet */
  #isFresh = false;
  /** whether it was lost since: then the new one lacks what code had written */
  #isLost = false;

  constructor(sources: CodeSources) {
    this.#sources = sources;
  }

  forDrive(): HostedTool {
    return new CodeInterpreter(this.#sources);
  }

  async readiness({ run, thread }: HostedUse): Promise<Readiness> {
    const ids = [...(run.internal.code_files ?? []), ...(thread.tool_resources.code_interpreter?.file_ids ?? [])];
    const [files, packages] = await Promise.all([
      ids.length === 0 ? new Map<string, FileDoc>() : this.#sources.files(run.internal.tenant, ids),
      this.#sources.sessions.packages(),
    ]);
    // One that was deleted is no trouble: the model is not told of it.
    this.#uploads = [...new Set(ids)].flatMap((id) => files.get(id) ?? []);
    this.#told = toldFiles(this.#uploads, thread.internal.code_session?.files ?? []);
    this.#packages = packages;
    return "ready";
  }

  offered(_run: RunDoc) {
    return codeTool({ timeout: this.#sources.timeout, packages: this.#packages, files: this.#told });
  }

  reader = (): CodeStream => new CodeStream();

  opened = (_run: RunDoc, id: string, input: string): CodeToolCall => callOf(id, input, []);

  /** The code as it ran, however the model had wrapped it. */
  written = (call: HostedToolCall): string => JSON.stringify({ code: codeIn(call) });

  output = (_call: HostedToolCall, { output = "" }: HostedRecord): string => output;

  markers(_calls: PastCall[], thread: ThreadDoc | undefined): Marker[] {
    const files = CodeFiles.linkable(thread?.internal.code_session?.files ?? [], this.#sources.now());
    return files.length === 0 ? [] : [fileLinks(files)];
  }

  /** A thread gets its session before the first code runs: a driver that takes over uses the same. */
  before({ thread }: HostedUse): ThreadChanges {
    const known = thread.internal.code_session;
    if (known !== undefined && known !== null) return {};
    return { code_session: { id: sessionId(), files: [] } };
  }

  after(): ThreadChanges {
    return this.#isSaved || this.#state === undefined ? {} : { code_session: this.#state };
  }

  async keep(fileIds: string[], { run, thread }: HostedUse): Promise<void> {
    for (const file of thread.internal.code_session?.files ?? []) {
      if (!fileIds.includes(file.id) || this.#kept.has(file.id)) continue;
      const { id, path, bytes } = file;
      const filename = path.slice(path.lastIndexOf("/") + 1);
      // The client may have deleted it since an earlier message linked it.
      const isThere = await this.#sources.hasBytes(run.internal.tenant, id);
      if (isThere) await this.#sources.keep(run.internal.tenant, { id, filename, bytes });
      this.#kept.add(id);
    }
  }

  async run(use: HostedUse, calls: AskedCall[], signal: AbortSignal): Promise<HostedResults> {
    const before = use.thread.internal.code_session;
    if (before === undefined || before === null) throw new Error("code is to run before its thread has a session");
    this.#state ??= before;
    const readable = new Readable(use.room);
    const files = new CodeFiles(this.#sources, use.run);
    const done: DoneCall[] = [];
    const images: string[] = [];
    // Not by `#state`: a try that broke off may have done these calls, and the ledger answers them again.
    let isUsed = before.used === true;
    try {
      for (const call of calls) {
        const result = await this.#work(use, call, files, isUsed, signal);
        isUsed ||= result.kind === "ran";
        images.push(...result.images);
        done.push(readable.done(call.id, codeOf(call.arguments), result));
      }
    } catch (error) {
      if (signal.aborted) await this.#stop(signal.reason);
      // The session may be gone, and its files with it.
      this.#session = undefined;
      throw error instanceof CodeTrouble && !signal.aborted ? troubleOf(error) : error;
    }
    this.#isSaved = true;
    return { done, images, thread: this.#state === before ? {} : { code_session: this.#state } };
  }

  async #work(use: HostedUse, call: AskedCall, files: CodeFiles, isUsed: boolean, signal: AbortSignal): Promise<Done> {
    const code = codeOf(call.arguments);
    if (code.trim() === "") return { kind: "text", text: NO_CODE, images: [] };
    const session = await this.#ready(use, signal);
    const timeout = this.#timeoutOf(use.run);
    const cell = { step: files.step, id: call.id, code, timeout };
    const result: CellResult = await session.run(cell, signal);
    const state = this.#known();
    if (result.kind !== "done") {
      this.#renew();
      const text = result.kind === "timeout" ? timedOut(timeout) : died(result.reason);
      return { kind: "text", text, images: [] };
    }
    this.#notice(result);
    const { images, written, lost } = await files.take(session, call.id, result, signal);
    const isRestarted = result.fresh && isUsed;
    if (written.length > 0 || state.used !== true) this.#state = CodeFiles.added(state, written);
    const unshown = result.images.length - images.length + result.undrawn;
    return { kind: "ran", logs: result.logs, images, unshown, files: result.files, lost, isRestarted };
  }

  /** The thread's session with all its files. */
  async #ready({ run }: HostedUse, signal: AbortSignal): Promise<CodeSession> {
    if (this.#session !== undefined) return this.#session;
    const { id, files } = this.#known();
    const session = this.#sources.sessions.open({ id });
    const written = CodeFiles.linkable(files, this.#sources.now());
    const wanted = sessionFiles(this.#sources, run.internal.tenant, this.#uploads, written, this.#isLost);
    const { fresh } = await session.prepare(wanted, signal);
    [this.#session, this.#isFresh, this.#isLost] = [session, fresh, false];
    return session;
  }

  /** A session that was lost after its preparation began anew with this call: the next call is to find its files. */
  #notice({ fresh, repeated }: Extract<CellResult, { kind: "done" }>): void {
    if (fresh && !repeated && !this.#isFresh) [this.#session, this.#isLost] = [undefined, true];
    this.#isFresh = false;
  }

  #known(): CodeSessionState {
    if (this.#state === undefined) throw new Error("no session is known");
    return this.#state;
  }

  /** What follows goes to another session: the old one is gone, or is not to be met again. */
  #renew(): void {
    this.#session = undefined;
    this.#state = { ...this.#known(), id: sessionId() };
    this.#isSaved = false;
  }

  /** The code of a run that is over must not go on; a driver that goes on with the run needs the session. */
  async #stop(reason: unknown): Promise<void> {
    const kind: unknown = typeof reason === "object" && reason !== null ? Reflect.get(reason, "kind") : undefined;
    // Nothing leads to a session that this driver has begun, and that its thread was not told of.
    const isForgotten = kind === "lost" && !this.#isSaved;
    if (kind !== "ending" && !isForgotten) return;
    const gone = this.#sources.sessions.open({ id: this.#known().id }).discard();
    this.#renew();
    await Promise.race([gone, sleep(DISCARD_PATIENCE, undefined, { ref: false })]);
  }

  #timeoutOf({ expires_at: end }: RunDoc): number {
    const left = end === null ? Number.POSITIVE_INFINITY : Math.floor(end - this.#sources.now() / 1000);
    return Math.max(1, Math.min(this.#sources.timeout, left - BEFORE_EXPIRY));
  }
}

const codeIn = (call: HostedToolCall): string => (call.type === "code_interpreter" ? call.code_interpreter.input : "");

/** What is wrong with the sessions is the operator's business: the log has it. */
const troubleOf = (error: CodeTrouble): ToolTrouble =>
  new ToolTrouble(
    { error: SERVER_ERROR, retryable: error.retryable, retryAfter: error.retryAfter, isFull: error.isFull },
    error.details,
    error,
  );
