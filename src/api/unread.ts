/** The events of all streams that wait for clients that read slowly: how much memory they take, by tenant. */
import type { TenantShares } from "../tenant-shares.ts";

/** A stream as it is seen from here. */
export interface SlowStream {
  /** characters that its client has not taken yet */
  readonly waiting: number;
  /** Drops what can be dropped, and ends the stream with an error event. */
  cut(): void;
}

/** Where the streams of one tenant count what waits. */
export interface UnreadOfTenant {
  /** Asks for room for more characters of a stream. False: that stream has been cut. */
  take(stream: SlowStream, characters: number): boolean;
  /** The client has taken them, or they were dropped. */
  give(stream: SlowStream, characters: number): void;
}

export class Unread {
  readonly shares: TenantShares;
  readonly #streams = new Map<string, Set<SlowStream>>();

  constructor(shares: TenantShares) {
    this.shares = shares;
  }

  of(tenant: string): UnreadOfTenant {
    return {
      take: (stream, characters) => this.#take(tenant, stream, characters),
      give: (stream, characters) => {
        this.shares.give(tenant, characters);
        if (stream.waiting === 0) this.#remove(tenant, stream);
      },
    };
  }

  /** While there is no room, the tenant's own slowest stream is cut: never another tenant's. */
  #take(tenant: string, stream: SlowStream, characters: number): boolean {
    const streams = this.#streams.get(tenant) ?? new Set();
    this.#streams.set(tenant, streams.add(stream));
    while (!this.shares.take(tenant, characters)) {
      let slowest = stream;
      for (const other of streams) if (other.waiting > slowest.waiting) slowest = other;
      streams.delete(slowest);
      slowest.cut();
      if (slowest === stream) return false;
    }
    return true;
  }

  #remove(tenant: string, stream: SlowStream): void {
    const streams = this.#streams.get(tenant);
    streams?.delete(stream);
    if (streams?.size === 0) this.#streams.delete(tenant);
  }
}
