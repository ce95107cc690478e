// Keeps the lock of a message for as long as its handler runs, as the .NET host does in Azure.

import { isServiceBusError, type ServiceBusReceivedMessage, type ServiceBusReceiver } from "@azure/service-bus";

/** A lock is renewed so long before its end, or after half of its time if that is later. */
const LONGEST_MARGIN_MS = 10_000;
const RETRY_MS = 250;

export interface RenewalReports {
  /** The broker has given the message to another receiver, or will: called once for each delivery. */
  lost: () => void;
  /** The broker could not be asked; it is asked again while the lock may still hold. */
  failed: (error: unknown) => void;
}

/**
 * The renewal of one delivery's lock. Not the SDK's: that tells messages apart by their ids, so of two deliveries of
 * one message to the same host, the end of the first one's handler ends the renewal of the second, whose lock is lost
 * in turn.
 */
export class LockRenewal {
  readonly #receiver: ServiceBusReceiver;
  readonly #message: ServiceBusReceivedMessage;
  readonly #until: number;
  readonly #reports: RenewalReports;
  #timer: NodeJS.Timeout | undefined;
  #lost = false;
  #stopped = false;

  /** Renews for so many milliseconds at the most, like `maxAutoLockRenewalDuration` of host.json. */
  constructor(
    receiver: ServiceBusReceiver,
    message: ServiceBusReceivedMessage,
    longestMs: number,
    reports: RenewalReports,
  ) {
    this.#receiver = receiver;
    this.#message = message;
    this.#until = Date.now() + longestMs;
    this.#reports = reports;
    this.#schedule();
  }

  /** Whether settling the message has no point any more. */
  get lost(): boolean {
    return this.#lost;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  get #lockedUntil(): number {
    return this.#message.lockedUntilUtc?.getTime() ?? 0;
  }

  #schedule(): void {
    if (this.#stopped || this.#lockedUntil >= this.#until) return;
    const remaining = this.#lockedUntil - Date.now();
    this.#renewIn(remaining - Math.min(remaining / 2, LONGEST_MARGIN_MS));
  }

  #renewIn(milliseconds: number): void {
    // In the past where this host's clock is ahead of the broker's.
    this.#timer = setTimeout(() => void this.#renew(), Math.max(0, milliseconds));
  }

  async #renew(): Promise<void> {
    try {
      await this.#receiver.renewMessageLock(this.#message);
      this.#schedule();
    } catch (error) {
      // What fails because the message is being settled is no news.
      if (this.#stopped) return;
      if (isLockLost(error) || Date.now() >= this.#lockedUntil) {
        this.#lost = true;
        this.#reports.lost();
      } else {
        this.#reports.failed(error);
        this.#renewIn(RETRY_MS);
      }
    }
  }
}

const isLockLost = (error: unknown) => isServiceBusError(error) && error.code === "MessageLockLost";
