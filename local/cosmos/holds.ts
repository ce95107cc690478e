import type { Socket } from "node:net";

/** Requests that are kept open until they are released, or until their clients are gone. */
export class Holds {
  readonly #held = new Set<() => void>();

  /** How many there are now. */
  get size(): number {
    return this.#held.size;
  }

  /** Resolves when the request may go on: with false if its client has disconnected. */
  keep(socket: Socket): Promise<boolean> {
    return new Promise((resolve) => {
      const end = () => {
        socket.off("close", end);
        this.#held.delete(end);
        resolve(!socket.destroyed);
      };
      socket.once("close", end);
      this.#held.add(end);
      if (socket.destroyed) end();
    });
  }

  release(): void {
    for (const end of [...this.#held]) end();
  }
}
