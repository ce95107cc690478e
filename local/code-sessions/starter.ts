/** Starts sandboxes, and keeps one spare from the first use on: the next session then begins at once. */
import { Sandbox, SandboxEnded, type SandboxOptions } from "./sandbox.ts";
import { forget, snapshotIn } from "./snapshot.ts";

export interface Starts {
  spare: number;
  snapshot: number;
  plain: number;
  fallback: number;
}

export class Starter {
  readonly #options: () => SandboxOptions;
  readonly #folder: string;
  readonly starts: Starts = { spare: 0, snapshot: 0, plain: 0, fallback: 0 };
  #snapshot: Promise<string | undefined> | undefined;
  #spare: Promise<Sandbox | undefined> | undefined;
  #stopped = false;

  /** `folder`: for the snapshot. `options` throws NoSandbox where there is none on this machine. */
  constructor(folder: string, options: () => SandboxOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Makes the snapshot if there is none. Throws NoSandbox. */
  prepare(): Promise<string | undefined> {
    const options = this.#options();
    this.#snapshot ??= snapshotIn(this.#folder, options).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : error;
      if (!this.#stopped) console.log(`No snapshot: ${reason}. Sessions start more slowly.`);
      return undefined;
    });
    return this.#snapshot;
  }

  /** The spare one if there is one. Throws NoSandbox and SandboxEnded. */
  async start(): Promise<Sandbox> {
    const spare = await this.#takeSpare();
    if (spare === undefined) return this.#startNew();
    this.starts.spare += 1;
    return spare;
  }

  /** Starts a spare one in the background, if there is none. */
  keepSpare(): void {
    if (this.#stopped || this.#spare !== undefined) return;
    const spare = this.#startNew().catch(() => undefined);
    this.#spare = spare;
    void spare.then(async (sandbox) => {
      await sandbox?.exited;
      if (this.#spare === spare) this.#spare = undefined;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const spare = await this.#takeSpare();
    spare?.kill("closed");
    await spare?.exited;
  }

  async #takeSpare(): Promise<Sandbox | undefined> {
    const taken = this.#spare;
    this.#spare = undefined;
    const spare = await taken;
    return spare?.ended === undefined ? spare : undefined;
  }

  async #startNew(): Promise<Sandbox> {
    const snapshot = await this.prepare();
    if (this.#stopped) throw new SandboxEnded("closed");
    const sandbox = await Sandbox.start({ ...this.#options(), snapshot });
    this.starts[sandbox.start] += 1;
    if (sandbox.start === "fallback" && snapshot !== undefined) {
      await forget(snapshot);
      this.#snapshot = undefined;
    }
    return sandbox;
  }
}
