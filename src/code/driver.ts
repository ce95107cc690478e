/**
 * The Python side of a session, which each execution brings along: it runs a cell as Jupyter does, keeps the result in
 * a ledger within the session, and answers with one line. The same text runs in the kernel of Azure's sessions (CPython
 * 3.12) and in Pyodide. It is a module of its own with its own copy of the builtins: what the user's code does to those
 * breaks the user's code only.
 */
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { z } from "zod";
import { DRIVER_CELLS } from "./driver-cells.ts";
import { DRIVER_OUTPUT } from "./driver-output.ts";
import { DRIVER_PICTURES } from "./driver-pictures.ts";
import { type CellCall, type CellResult, type ChangedFile, ROOT } from "./session.ts";

/** Where the driver keeps results, in the session's folder. */
export const LEDGER_FOLDER = "_threadkeep";

const SOURCE = [DRIVER_OUTPUT, DRIVER_PICTURES, DRIVER_CELLS].join("\n\n");
const VERSION = createHash("sha256").update(SOURCE).digest("hex").slice(0, 16);
const PACKED = deflateSync(SOURCE, { level: 9 }).toString("base64");

/** Characters of what a cell wrote, which the driver keeps; with what it adds where it left some out, in UTF-16. */
const MOST_TEXT = 1_000_000;
const LONGEST_LOGS = 2 * MOST_TEXT + 100;

export interface DrivenCell {
  /** of `ledgerKey` */
  key: string;
  /** of the calls that the ledger keeps together */
  step: string;
  code: string;
  /** further names of files, if no file has them */
  links: Record<string, string>;
}

/**
 * The name of a call's result in the ledger. The code is a part of it: a call is only ever answered with what its own
 * code did.
 */
export const ledgerKey = ({ step, id, code }: Pick<CellCall, "step" | "id" | "code">): string =>
  digest(JSON.stringify([step, id, code]));

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);

/** What a session is to execute for a cell. `root`: the session's folder. */
export function execution(cell: DrivenCell, root = ROOT): string {
  const { key, links } = cell;
  const call = { key, step: digest(cell.step), code: cell.code.toWellFormed(), links };
  const payload = Buffer.from(JSON.stringify(call)).toString("base64");
  return `import sys
if getattr(sys.modules.get("_threadkeep"), "VERSION", None) != "${VERSION}":
    import base64, builtins, types, zlib
    module = types.ModuleType("_threadkeep")
    module.__dict__.update(__builtins__=dict(vars(builtins)), ROOT=${JSON.stringify(root)}, VERSION="${VERSION}")
    source = zlib.decompress(base64.b64decode("${PACKED}"))
    exec(compile(source, "<threadkeep>", "exec", dont_inherit=True), module.__dict__)
    module.begin(sys.modules.get("_threadkeep"))
    sys.modules["_threadkeep"] = module
sys.modules["_threadkeep"].run("${payload}")
`;
}

const path = z.string().max(4_096);
const count = z.number().int().min(0);

const entry = z.object({
  call: z.string(),
  logs: z.string().max(LONGEST_LOGS),
  images: z.array(path).max(20),
  // An older driver has not counted them.
  undrawn: count.default(0),
  files: z.array(z.object({ path, size: count, at: path.optional() })).max(1_000),
  failed: z.boolean(),
  fresh: z.boolean(),
  repeated: z.boolean(),
  ms: count,
});

const pointer = z.object({ call: z.string(), ledger: z.literal(true), repeated: z.boolean() });

/** `at`: where a file can be read whose own path has names that a pool does not take, or is a second one. */
export interface DoneCell extends Omit<Extract<CellResult, { kind: "done" }>, "files"> {
  files: (ChangedFile & { at?: string | undefined })[];
}

/**
 * What the driver's line in `stdout` says: the result, or that it is in the ledger. Undefined if there is no such line,
 * as when the code broke the driver, or wrote so much past it that the line was cut off.
 */
export function answerIn(stdout: string, key: string): DoneCell | { kind: "in ledger"; repeated: boolean } | undefined {
  for (const line of stdout.split("\n").reverse()) {
    if (!line.startsWith("{")) continue;
    const value = jsonOf(line);
    const done = doneOf(value, key);
    if (done !== undefined) return done;
    const pointed = pointer.safeParse(value);
    if (pointed.success && pointed.data.call === key) return { kind: "in ledger", repeated: pointed.data.repeated };
  }
  return undefined;
}

/** A result from the ledger; undefined if it is none. */
export const ledgerEntry = (bytes: Uint8Array, key: string): DoneCell | undefined =>
  doneOf(jsonOf(Buffer.from(bytes).toString()), key);

function doneOf(value: unknown, key: string): DoneCell | undefined {
  const parsed = entry.safeParse(value);
  if (!parsed.success || parsed.data.call !== key) return undefined;
  const { call: _, ...result } = parsed.data;
  const isOfLedger = (place: string) => place.startsWith(`${LEDGER_FOLDER}/`) && isPlain(place);
  const files = result.files.filter((file) => isPlain(file.path) && (file.at === undefined || isPlain(file.at)));
  const logs = result.logs.toWellFormed();
  return { kind: "done", ...result, logs, images: result.images.filter(isOfLedger), files };
}

/** Whether a path stays in the session's folder, and can be asked for. */
export const isPlain = (text: string): boolean =>
  text.split("/").every((part) => part !== "" && part !== "." && part !== "..") && !/[\p{Cc}\p{Cs}]/u.test(text);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
