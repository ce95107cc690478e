/** CPython processes of this machine that execute text as a session does, each in a folder of its own. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

/** Executes what it is sent, line by line, and answers with what was written to Python's output. */
const KERNEL = `
import io, json, sys
answers, space = sys.stdout, {"__name__": "kernel"}
for line in sys.stdin.buffer:
    sys.stdout, failed = io.StringIO(), False
    try:
        exec(compile(json.loads(line), "<execution>", "exec"), space)
    except BaseException as error:
        failed = True
    written, sys.stdout = sys.stdout.getvalue(), answers
    print(json.dumps([failed, written]), flush=True)
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
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(python: string) {
    this.#child = spawn(python, ["-u", "-c", KERNEL], { cwd: this.folder, env: { PYTHONIOENCODING: "utf-8" } });
    this.#child.stderr.resume();
    this.#child.stdin.on("error", () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Undefined if the process died of it. */
  async execute(code: string): Promise<Executed | undefined> {
    this.#child.stdin.write(`${JSON.stringify(code)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) return undefined;
    const [failed, stdout] = JSON.parse(value);
    return { failed, stdout };
  }

  stop(): void {
    this.#child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
