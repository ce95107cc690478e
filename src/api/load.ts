/**
 * What one instance holds at a time. It grows with its clients up to these limits and no further: a request beyond them
 * is refused at once (429), before anything is read or written. Each limit is shared by the tenants
 * (src/tenant-shares.ts), so that a tenant that floods the instance leaves room for the others.
 */
import { overloaded } from "../resources/errors.ts";
import { TenantShares } from "../tenant-shares.ts";
import { BinaryStream } from "./binary.ts";
import type { Connection } from "./connections.ts";
import { EventStream } from "./sse.ts";
import { Unread } from "./unread.ts";

export interface LoadLimits {
  /** requests under way, until their clients have taken the answers; streams aside */
  requests: number;
  /** streams that are open, or whose runs are still driven here though their clients have left */
  streams: number;
  /** files that are being received */
  uploads: number;
  /** bytes of the request bodies that are being read and worked on */
  bodyBytes: number;
  /** characters of events that wait for clients that read slowly */
  unread: number;
}

/** Gives back what was taken. */
export type Release = () => void;

type Limited = Exclude<keyof LoadLimits, "unread">;

/** Seconds: a request takes some milliseconds, a run's stream some seconds. */
const RETRY_AFTER: Record<Limited, number> = { requests: 1, streams: 5, uploads: 5, bodyBytes: 1 };

export class Load {
  readonly #held: Record<Limited, TenantShares>;
  readonly #unread: Unread;
  readonly #refused = new Map<string, number>();

  /** `tenants`: how many share the limits. */
  constructor(limits: LoadLimits, tenants: number) {
    this.#held = {
      requests: new TenantShares(limits.requests, tenants),
      streams: new TenantShares(limits.streams, tenants),
      uploads: new TenantShares(limits.uploads, tenants),
      bodyBytes: new TenantShares(limits.bodyBytes, tenants),
    };
    this.#unread = new Unread(new TenantShares(limits.unread, tenants));
  }

  /** Takes a place, or so many bytes; throws 429 if the tenant can have no more. */
  enter(what: Limited, tenant: string, amount = 1): Release {
    const shares = this.#held[what];
    if (!shares.take(tenant, amount)) {
      this.#refused.set(tenant, (this.#refused.get(tenant) ?? 0) + 1);
      throw overloaded(RETRY_AFTER[what]);
    }
    return () => shares.give(tenant, amount);
  }

  /**
   * Does the work of one request. Its body counts while the work goes on, its place until the client has taken the
   * answer: an answer that the client does not read takes memory, too. A stream has a place of its own instead.
   */
  async handle(
    tenant: string,
    bodyBytes: number,
    connection: Connection | undefined,
    work: () => Promise<object>,
  ): Promise<object> {
    const release = this.enter("requests", tenant);
    let answered: Promise<void> | undefined;
    try {
      const releaseBody = this.enter("bodyBytes", tenant, bodyBytes);
      const result = await work().finally(releaseBody);
      if (result instanceof BinaryStream) answered = result.settled;
      else if (!(result instanceof EventStream)) answered = connection?.finished();
      return result;
    } finally {
      if (answered === undefined) release();
      else void answered.then(release);
    }
  }

  /** Does the work of a request whose body is a file. */
  async receive(tenant: string, work: () => Promise<object>): Promise<object> {
    const release = this.enter("uploads", tenant);
    return work().finally(release);
  }

  /**
   * Does the work that opens a stream. The place is free again when nothing more is written to it and nothing unread.
   */
  async open(tenant: string, work: () => Promise<object>): Promise<object> {
    const release = this.enter("streams", tenant);
    let stream: EventStream | undefined;
    try {
      const result = await work();
      if (result instanceof EventStream) stream = result;
      return result;
    } finally {
      if (stream === undefined) release();
      else {
        stream.countIn(this.#unread.of(tenant));
        void stream.settled.then(release);
      }
    }
  }

  /** What is held now, and how many requests have been refused since the start: in all, and by tenant. */
  report() {
    const { requests, streams, uploads, bodyBytes } = this.#held;
    const { shares: unread } = this.#unread;
    const held = { requests, streams, uploads, bodyBytes, unread };
    const names = new Set([...Object.values(held).flatMap((shares) => shares.tenants), ...this.#refused.keys()]);
    const tenants = [...names].map((name) => [
      name,
      {
        requests: requests.heldBy(name),
        streams: streams.heldBy(name),
        uploads: uploads.heldBy(name),
        bodyBytes: bodyBytes.heldBy(name),
        unread: unread.heldBy(name),
        refused: this.#refused.get(name) ?? 0,
      },
    ]);
    return {
      requests: requests.total,
      streams: streams.total,
      uploads: uploads.total,
      bodyBytes: bodyBytes.total,
      unread: unread.total,
      refused: [...this.#refused.values()].reduce((sum, count) => sum + count, 0),
      tenants: Object.fromEntries(tenants) as Record<string, Held>,
    };
  }
}

/** By one tenant. */
type Held = Record<keyof LoadLimits | "refused", number>;
