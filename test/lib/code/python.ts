/** CPython processes of this machine that execute text as a session does, each in a folder of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";

/**
 * Executes what it is sent, line by line, and answers with what was written to Python's output. As in a real kernel,
 * the answers take a way of their own, which code finds only if it looks for it.
 */
const KERNEL = `
import binascii, io, os, sys
def serve(decode, encode, text, requests, answers, space):
    for line in requests:
        sys.stdout, failed = text(), b"0"
        try:
            exec(compile(decode(line), "<execution>", "exec"), space)
        except BaseException as error:
            failed = b"1"
        written = sys.stdout.getvalue() if isinstance(sys.stdout, text) else ""
        answers.write(failed + encode(written.encode("utf-8", "replace")))
        answers.flush()
serve(binascii.a2b_base64, binascii.b2a_base64, io.StringIO, sys.stdin.buffer, os.fdopen(3, "wb"), {"__name__": "k"})
`;

/** The interpreter's path, if this machine has one that the driver is for (3.11 or newer). */
export function findPython(name: string): string | undefined {
  try {
    const told = execFileSync(name, ["-c", "import sys; print(*sys.version_info[:2], sys.executable)"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [major, minor, ...executable] = told.trim().split(" ");
    return Number(major) === 3 && Number(minor) >= 11 ? executable.join(" ") : undefined;
  } catch {
    return undefined;
  }
}

export interface Executed {
  failed: boolean;
  stdout: string;
}

export class PythonKernel {
  readonly folder = mkdtempSync(path.join(tmpdir(), "threadkeep-python-"));
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(python: string) {
    this.#child = spawn(python, ["-u", "-c", KERNEL], {
      cwd: this.folder,
      env: { PYTHONIOENCODING: "utf-8" },
      stdio: ["pipe", "ignore", "ignore", "pipe"],
    });
    this.#child.stdin?.on("error", () => {});
    const answers = this.#child.stdio[3];
    if (!(answers instanceof Readable)) throw new Error("the kernel has no stream of answers");
    this.#answers = createInterface({ input: answers })[Symbol.asyncIterator]();
  }

  /** Undefined if the process died of it. */
  async execute(code: string): Promise<Executed | undefined> {
    this.#child.stdin?.write(`${Buffer.from(code).toString("base64")}\n`);
    const { value, done } = await this.#answers.next();
    if (done) return undefined;
    return { failed: value.startsWith("1"), stdout: Buffer.from(value.slice(1), "base64").toString() };
  }

  stop(): void {
    this.#child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Plain Python: the statements of each cell by "exec", a last expression as the prompt shows it, exceptions by
 * the interpreter's own hook. Cells are files, which is where the hook finds their lines.
 */
const PLAIN = `
import ast, io, json, os, sys, types
space = types.ModuleType("__main__")
space.__dict__["__builtins__"] = __builtins__
sys.modules["__main__"] = space
answers, told, written = sys.stdout, [], io.BytesIO()
sys.stdout = io.TextIOWrapper(written, "utf-8", write_through=True)
sys.stderr = io.TextIOWrapper(written, "utf-8", "backslashreplace", write_through=True)
for number, source in enumerate(json.load(sys.stdin.buffer)):
    path = os.path.abspath("cell-%d.py" % number)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(source)
    written.seek(0)
    written.truncate()

    def new_line():
        if written.getvalue()[-1:] not in (b"", b"\\n"):
            written.write(b"\\n")

    def show(value):
        if value is not None:
            new_line()
            sys.__displayhook__(value)

    sys.displayhook = show
    try:
        tree = ast.parse(source, path)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        body = compile(tree, path, "exec")
        ending = compile(ast.Interactive([last] if last else []), path, "single")
        exec(body, space.__dict__)
        exec(ending, space.__dict__)
    except BaseException as error:
        new_line()
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != path:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    told.append(written.getvalue().decode("utf-8", "replace").replace(path, "<cell %d>" % number))
print(json.dumps(told), file=answers)
`;

/** What plain Python writes for each of the cells, which follow each other in one process. */
export function plainPython(python: string, cells: readonly string[]): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-python-"));
  try {
    const told = execFileSync(python, ["-c", PLAIN], {
      cwd: folder,
      input: JSON.stringify(cells),
      encoding: "utf8",
      env: { PYTHON_COLORS: "0" },
    });
    return JSON.parse(told);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
