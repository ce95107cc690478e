/** The sessions of this server by their identifiers, which come with the first request and go after a while. */
import { poolFull, sessionNotFound } from "./errors.ts";
import { Session } from "./session.ts";
import type { Starter } from "./starter.ts";

export interface PoolOptions {
  maxSessions: number;
  /** Milliseconds without a request. */
  idle: number;
  /** Milliseconds in all. */
  life: number;
  /** Whether a spare sandbox is kept from the first session on. */
  keepsSpare: boolean;
  /** Whether a full pool ends the session that has rested the longest, in place of a refusal. Azure never does. */
  makesRoom: boolean;
  /** Milliseconds since 1970. */
  now: () => number;
}

const SWEEP_INTERVAL = 1000;
/** Milliseconds without a request before a session makes room: less may be a pause in the middle of a run. */
const LEAST_REST = 5000;

export class Pool {
  readonly #options: PoolOptions;
  readonly #starter: Starter;
  readonly #sessions = new Map<string, Session>();
  readonly #closing = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: PoolOptions, starter: Starter) {
    this.#options = options;
    this.#starter = starter;
    this.#timer = setInterval(() => this.sweep(), SWEEP_INTERVAL);
    this.#timer.unref();
  }

  /** The session of this identifier, which begins now if there is none. Throws 404 if the pool is full. */
  obtain(identifier: string): { session: Session; isNew: boolean } {
    const found = this.find(identifier);
    if (found) return { session: found, isNew: false };
    const { maxSessions, now } = this.#options;
    if (this.#sessions.size >= maxSessions && !this.#makeRoom()) throw poolFull(maxSessions);
    const sandbox = this.#starter.start();
    const session = new Session(identifier, sandbox, now());
    this.#sessions.set(identifier, session);
    void sandbox.then(
      () => this.#keepSpare(),
      () => this.#remove(session),
    );
    return { session, isNew: true };
  }

  /** Counts as an access. */
  find(identifier: string): Session | undefined {
    this.sweep();
    const session = this.#sessions.get(identifier);
    if (session) session.lastAccessedAt = this.#options.now();
    return session;
  }

  /** Throws 400 if there is none. */
  existing(identifier: string): Session {
    const session = this.find(identifier);
    if (session === undefined) throw sessionNotFound(identifier);
    return session;
  }

  /** In the order of their creation. */
  get sessions(): Session[] {
    this.sweep();
    return [...this.#sessions.values()];
  }

  expireAt({ createdAt, lastAccessedAt }: Session): number {
    const { idle, life } = this.#options;
    return Math.min(lastAccessedAt + idle, createdAt + life);
  }

  /** Resolves when its process is gone. */
  async end(session: Session): Promise<void> {
    this.#remove(session);
    await session.close();
  }

  /** Removes what has ended or expired. */
  sweep(): void {
    const now = this.#options.now();
    for (const session of this.#sessions.values()) {
      if (session.busy > 0) session.lastAccessedAt = now;
      if (session.isAlive && now < this.expireAt(session)) continue;
      this.#close(session);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.sessions.map((session) => this.end(session)), ...this.#closing, this.#starter.stop()]);
  }

  #close(session: Session): void {
    const closing = this.end(session).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** False if no session may go. */
  #makeRoom(): boolean {
    if (!this.#options.makesRoom) return false;
    const latest = this.#options.now() - LEAST_REST;
    const resting = [...this.#sessions.values()].filter((one) => one.busy === 0 && one.lastAccessedAt <= latest);
    const [longest] = resting.sort((one, other) => one.lastAccessedAt - other.lastAccessedAt);
    if (longest) this.#close(longest);
    return longest !== undefined;
  }

  #keepSpare(): void {
    const { keepsSpare, maxSessions } = this.#options;
    if (keepsSpare && this.#sessions.size < maxSessions) this.#starter.keepSpare();
  }

  #remove(session: Session): void {
    if (this.#sessions.get(session.identifier) === session) this.#sessions.delete(session.identifier);
  }
}
