import type { Clock } from "./clock.ts";
import { messageLockLost } from "./errors.ts";
import { newLockToken } from "./lock-token.ts";
import type { Lock, Message } from "./message.ts";

/** The locks of one queue. A lock that its holder neither renews nor releases in time ends by itself. */
export class Locks {
  readonly byKey = new Map<string, Message>();
  readonly #clock: Clock;
  readonly #duration: number;
  readonly #expired: (message: Message) => void;

  /** `expired` is called after a lock has ended by itself. */
  constructor(clock: Clock, duration: number, expired: (message: Message) => void) {
    this.#clock = clock;
    this.#duration = duration;
    this.#expired = expired;
  }

  /** `early`: an injected fault; the lock ends after so many milliseconds, whatever its holder was told. */
  take(message: Message, early: number | undefined): Lock {
    const token = newLockToken();
    const until = this.#clock.now() + this.#duration;
    const lock: Lock = { token, key: token.toString("hex"), until, deadline: undefined, doomed: early !== undefined };
    lock.deadline = this.#clock.at(this.#clock.now() + Math.min(early ?? this.#duration, this.#duration), () =>
      this.#end(message),
    );
    message.lock = lock;
    this.byKey.set(lock.key, message);
    return lock;
  }

  /** Returns until when the lock holds now. Throws message-lock-lost. */
  renew(key: string): number {
    const message = this.byKey.get(key);
    const lock = message?.lock;
    if (!message || !lock) throw messageLockLost();
    lock.until = this.#clock.now() + this.#duration;
    if (!lock.doomed) {
      this.#clock.cancel(lock.deadline);
      lock.deadline = this.#clock.at(lock.until, () => this.#end(message));
    }
    return lock.until;
  }

  release(message: Message): void {
    if (!message.lock) return;
    this.#clock.cancel(message.lock.deadline);
    this.byKey.delete(message.lock.key);
    message.lock = undefined;
  }

  #end(message: Message): void {
    this.release(message);
    this.#expired(message);
  }
}
