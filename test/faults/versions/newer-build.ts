/**
 * A build of the next schema version, made from the built app by replacing texts. What it does differently is what a real
 * next version may do: more fields, inside and in the API; events and wake-ups of new kinds; and runs that mean something
 * else than before, which tell the next version. Whatever it adds says so, so that a test sees what became of it.
 */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { SCHEMA_VERSION } from "../../../src/resources/schema-version.ts";
import { PROJECT } from "../../e2e/build.ts";

/** The schema version of the newer build. */
export const NEWEST = SCHEMA_VERSION + 1;

/** A run whose metadata say this is of that version if the newer build creates it. */
export const NEW_MEANING = { meaning: "new" };

/** What the newer build tells the model as `user`: of runs of the versions before, and of those of the newest. */
export const NEWER = "newer";
export const NEWER_MEANING = "newer-meaning";

/** The newer build's event, told when it drives a run whose functions were called. */
export const NOTED = "thread.run.noted";

/** The newer build's wake-up, sent for each background run: it names the run in the thread's `internal.marked`. */
export const MARK = "mark";

interface Edit {
  file: string;
  from: string;
  to: string;
}

const EDITS: Edit[] = [
  { file: "resources/schema-version.js", from: `SCHEMA_VERSION = ${SCHEMA_VERSION}`, to: `SCHEMA_VERSION = ${NEWEST}` },
  // A field of the API, and one inside, of each run and of each message of a client.
  {
    file: "resources/run.js",
    from: "parallel_tool_calls: request.parallel_tool_calls ?? true,",
    to: 'parallel_tool_calls: request.parallel_tool_calls ?? true, grade: "a",',
  },
  {
    file: "runs/create.js",
    from: "log: { chunks: 0, events: 0 },",
    to: `log: { chunks: 0, events: 0 }, origin: "newer", ...(draft.request.metadata?.meaning === "new" ? { v: ${NEWEST} } : {}),`,
  },
  {
    file: "resources/message.js",
    from: "attachments: request.attachments ?? [],",
    to: 'attachments: request.attachments ?? [], grade: "a",',
  },
  {
    file: "threads/draft.js",
    from: "follows_tools: false }",
    to: 'follows_tools: false, origin: "newer" }',
  },
  // What a run of the newest version means: its model is asked in another way.
  {
    file: "runs/context.js",
    from: "model: run.model,",
    to: `model: run.model, user: (run.internal.v ?? 1) > ${SCHEMA_VERSION} ? "${NEWER_MEANING}" : "${NEWER}",`,
  },
  // Its first wake-up is one that older builds understand, so that they look at the run; the later ones are not.
  {
    file: "runs/wake.js",
    from: "run: run.id });",
    to: "run: run.id, v: run.internal.turns > 0 ? (run.internal.v ?? 1) : 1 });",
  },
  // An event of a new kind, which the log holds in a form of its own.
  {
    file: "runs/drive.js",
    from: 'owned.tell(runEvent(owned.run, "in_progress"));',
    to: `owned.tell(runEvent(owned.run, "in_progress"));
        if (owned.run.internal.turns > 0) owned.tell({ event: "${NOTED}", data: { object: "note", run_id: owned.run.id } });`,
  },
  {
    file: "runs/event-encoding.js",
    from: "function objectEntry({ event, data }, known) {",
    to: `function objectEntry({ event, data }, known) {
    if (event === "${NOTED}") return { noted: data };`,
  },
  {
    file: "runs/event-decoding.js",
    from: 'return ["data" in entry ? entry : undefined];',
    to: `return ["noted" in entry ? { event: "${NOTED}", data: entry.noted } : "data" in entry ? entry : undefined];`,
  },
  // A wake-up of a new kind.
  {
    file: "runs/start.js",
    from: "await engine.wakeUps.send(wakeUpOf(queued),",
    to: `const mark = { kind: "${MARK}", v: ${NEWEST}, tenant: start.tenant, thread: start.threadId, run: queued.id };
    await engine.wakeUps.sendAll([{ job: mark, id: queued.id + "/mark" }]);
    await engine.wakeUps.send(wakeUpOf(queued),`,
  },
  {
    file: "runs/worker.js",
    from: "if (isForNewerBuild(message))\n        return leaveForNewerBuild",
    to: `if (message.kind === "${MARK}") {
        const thread = engine.store.thread(message.tenant, message.thread);
        await thread.patchIf(message.thread, "c.kind = 'thread'", { "/internal/marked": message.run });
        return;
    }
    if (isForNewerBuild(message))
        return leaveForNewerBuild`,
  },
];

/** A folder of its own, with the newer build in it. The app must be built. */
export function makeNewerBuild(): string {
  const app = mkdtempSync(path.join(tmpdir(), "threadkeep-newer-"));
  for (const name of ["dist", "package.json", "host.json"]) {
    cpSync(path.join(PROJECT, name), path.join(app, name), { recursive: true });
  }
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(app, "node_modules"));
  for (const edit of EDITS) apply(edit, path.join(app, "dist/src", edit.file));
  return app;
}

/** An edit that no longer fits the code would test nothing. */
function apply({ file, from, to }: Edit, name: string): void {
  const [before, after, ...others] = readFileSync(name, "utf8").split(from);
  if (before === undefined || after === undefined || others.length > 0) {
    throw new Error(`the newer build is to change one place of ${file}, which is there not exactly once: ${from}`);
  }
  writeFileSync(name, `${before}${to}${after}`);
}
