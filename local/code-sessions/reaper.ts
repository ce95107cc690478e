/**
 * Ends all sandboxes when this process dies in whatever way. A sandbox cannot be relied on to notice: its code may
 * never read again, and between two cells it is stopped. So a shell gets their ids by its input, whose end it awaits.
 */
import { type ChildProcess, spawn } from "node:child_process";

const SCRIPT = `
trap '' INT TERM HUP
ids=" "
while read -r change id; do
  case "$change" in
    add) ids="$ids$id " ;;
    remove) ids="\${ids%% $id *} \${ids#* $id }" ;;
  esac
done
for id in $ids; do kill -KILL "$id" 2>/dev/null; done
`;

export class Reaper {
  readonly #shell: ChildProcess | undefined;
  readonly #ids = new Set<number>();

  constructor() {
    if (process.platform === "win32") return;
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT], {
      stdio: ["pipe", "ignore", "ignore"],
      cwd: "/",
    });
    this.#shell.stdin?.on("error", () => {});
    this.#shell.on("error", () => {});
    this.#shell.unref();
  }

  add(id: number): void {
    this.#ids.add(id);
    this.#shell?.stdin?.write(`add ${id}\n`);
  }

  /** To be called when the process has ended: another one may get its id. */
  remove(id: number): void {
    this.#ids.delete(id);
    this.#shell?.stdin?.write(`remove ${id}\n`);
  }

  /** Kills all sandboxes, those that are about to start among them. */
  killAll(): void {
    for (const id of this.#ids) process.kill(id, "SIGKILL");
  }

  /** Ends the shell, which kills what is left. */
  stop(): void {
    this.#shell?.stdin?.end();
  }
}
