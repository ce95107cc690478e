/** What the journal remembers: changes of queues as plain JSON, and the image of the queues that they add up to. */
import type { Content } from "./codec.ts";

export type MessageState = "active" | "deferred" | "scheduled";

/**
 * The part of a message that outlives the broker process. Locks do not: after a restart every message is free again.
 */
export interface DurableMessage extends Content {
  sequenceNumber: number;
  state: MessageState;
  deliveryCount: number;
  enqueuedTime: number;
  /** When a scheduled message becomes active. */
  activateAt: number | undefined;
  expiresAt: number | undefined;
}

/** A DurableMessage as JSON: bytes as base64. */
export type StoredMessage = Omit<DurableMessage, "bare" | "annotations"> & {
  bare: string;
  annotations: { pairs: number; bytes: string };
};

export type JournalRecord =
  | { op: "put"; queue: string; message: StoredMessage; seenUntil?: number | undefined }
  | { op: "update"; queue: string; number: number; state: MessageState; deliveryCount: number; bare?: string }
  | { op: "delete"; queue: string; number: number }
  /**
   * Leaves `queue` and enters `to` in one record, so that a crash can neither lose nor double it: activation,
   * dead-lettering.
   */
  | { op: "move"; queue: string; number: number; to: string; message: StoredMessage }
  | { op: "seen"; queue: string; messageId: string; until: number }
  | { op: "next"; queue: string; number: number };

export interface QueueImage {
  nextSequenceNumber: number;
  messages: Map<number, StoredMessage>;
  /** Ids that duplicate detection remembers, and until when. */
  seen: Map<string, number>;
}

export type Images = Map<string, QueueImage>;

export function toStored(message: DurableMessage): StoredMessage {
  return {
    sequenceNumber: message.sequenceNumber,
    state: message.state,
    messageId: message.messageId,
    deliveryCount: message.deliveryCount,
    enqueuedTime: message.enqueuedTime,
    activateAt: message.activateAt,
    expiresAt: message.expiresAt,
    durable: message.durable,
    priority: message.priority,
    ttl: message.ttl,
    scheduledAt: message.scheduledAt,
    annotations: { pairs: message.annotations.pairs, bytes: message.annotations.bytes.toString("base64") },
    bare: message.bare.toString("base64"),
  };
}

export function fromStored(stored: StoredMessage): DurableMessage {
  return {
    ...stored,
    activateAt: stored.activateAt,
    expiresAt: stored.expiresAt,
    annotations: { pairs: stored.annotations.pairs, bytes: Buffer.from(stored.annotations.bytes, "base64") },
    bare: Buffer.from(stored.bare, "base64"),
  };
}

function imageOf(images: Images, queue: string): QueueImage {
  let image = images.get(queue);
  if (!image) {
    image = { nextSequenceNumber: 1, messages: new Map(), seen: new Map() };
    images.set(queue, image);
  }
  return image;
}

function put(image: QueueImage, message: StoredMessage): void {
  image.messages.set(message.sequenceNumber, message);
  image.nextSequenceNumber = Math.max(image.nextSequenceNumber, message.sequenceNumber + 1);
}

/** Applies one record to the images. */
export function apply(images: Images, record: JournalRecord): void {
  const image = imageOf(images, record.queue);
  switch (record.op) {
    case "put":
      put(image, record.message);
      if (record.seenUntil !== undefined) image.seen.set(record.message.messageId, record.seenUntil);
      return;
    case "update": {
      const message = image.messages.get(record.number);
      if (!message) return;
      message.state = record.state;
      message.deliveryCount = record.deliveryCount;
      if (record.bare !== undefined) message.bare = record.bare;
      return;
    }
    case "delete":
      image.messages.delete(record.number);
      return;
    case "move":
      image.messages.delete(record.number);
      put(imageOf(images, record.to), record.message);
      return;
    case "seen":
      image.seen.set(record.messageId, record.until);
      return;
    case "next":
      image.nextSequenceNumber = Math.max(image.nextSequenceNumber, record.number);
      return;
    default:
      throw new Error(`a record of the kind ${JSON.stringify(Reflect.get(record, "op"))}`);
  }
}

/** The shortest list of records that leads to an image again. */
export function* recordsOf(queue: string, image: QueueImage): Generator<JournalRecord> {
  yield { op: "next", queue, number: image.nextSequenceNumber };
  for (const message of image.messages.values()) yield { op: "put", queue, message };
  for (const [messageId, until] of image.seen) yield { op: "seen", queue, messageId, until };
}
