/** What a queue holds and hands out. */
import type { Deadline } from "./clock.ts";
import type { DurableMessage } from "./records.ts";

/** Durations in milliseconds. */
export interface QueueSettings {
  lockDuration: number;
  maxDeliveryCount: number;
  defaultTtl: number | undefined;
  deadLetterOnExpire: boolean;
  /** 0: no duplicate detection. */
  dupWindow: number;
  maxMessageSize: number;
}

export interface Lock {
  /** RFC 4122 byte order. */
  readonly token: Buffer;
  /** The token as hex digits: the name of the lock. */
  readonly key: string;
  /** What the holder was told. */
  until: number;
  deadline: Deadline | undefined;
  /** An injected fault: the lock ends early and renewal does not help. */
  readonly doomed: boolean;
}

export interface Message extends DurableMessage {
  lock: Lock | undefined;
  activation: Deadline | undefined;
  expiry: Deadline | undefined;
  /** It left the queue; an entry of it may still lie in the heap of ready messages. */
  gone: boolean;
}

/** A receiver as the queue sees it. */
export interface Consumer {
  readonly mode: "peekLock" | "receiveAndDelete";
  /** How many messages it takes now. */
  credit(): number;
  deliver(message: Message, lock: Lock | undefined): void;
}

/** `release`: the receiver had no use for the message; the delivery does not count. */
export type Outcome = "complete" | "abandon" | "release" | "defer" | "deadLetter";

export interface SettlementDetails {
  /** Application properties to set. */
  properties?: Record<string, unknown> | undefined;
  reason?: string | undefined;
  description?: string | undefined;
}
