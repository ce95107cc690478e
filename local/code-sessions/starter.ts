/** Starts sandboxes, and keeps one spare from the first use on: the next session then begins at once. */
import { NoSandbox } from "./runtime.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";
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
    this.#snapshot ??= snapshotIn(this.#folder, this.#options());
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
    const sandbox = await Sandbox.start({ ...this.#options(), snapshot });
    this.starts[sandbox.start] += 1;
    if (sandbox.start === "fallback" && snapshot !== undefined) {
      await forget(snapshot);
      this.#snapshot = undefined;
    }
    return sandbox;
  }
}

/** Whether sandboxes can be had on this machine: else why not. */
export function obstacle(options: () => SandboxOptions): string | undefined {
  try {
    options();
    return undefined;
  } catch (error) {
    if (error instanceof NoSandbox) return error.message;
    throw error;
  }
}
