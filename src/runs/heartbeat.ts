/** Something that is done about once a second while a model call is under way, never twice at a time. */
export class Heartbeat {
  readonly #beat: () => Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #current: Promise<void> | undefined;

  /** `beat` must not throw. */
  constructor(interval: number, beat: () => Promise<void>) {
    this.#beat = beat;
    this.#timer = setInterval(() => this.#once(), interval);
  }

  /** No more beats; resolves when the one under way is over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#current;
  }

  #once(): void {
    this.#current ??= this.#beat().finally(() => {
      this.#current = undefined;
    });
  }
}
