/**
 * AMQP 1.0 messages as bytes. The bare message (properties to footer) is kept as the sender encoded it: a decode and
 * encode through a library would lose types (int or long, symbol or string, several data sections). The broker rewrites
 * only the header and the message annotations, adds application properties when a settlement carries some, and gives a
 * message without an id one.
 */
import { randomUUID } from "node:crypto";
import { messageIdTooLong } from "./errors.ts";
import { messages, type Typed, types } from "./rhea-internals.ts";
import { binaryOf, entriesOf, listAt, plain, reading, SECTION, type Section, sectionsOf, valueAt } from "./sections.ts";

/** The entries of an AMQP map, still encoded. */
export interface RawEntries {
  pairs: number;
  bytes: Buffer;
}

/** What a sender handed over, taken apart as far as the broker needs. */
export interface Content {
  messageId: string;
  durable: boolean;
  priority: number | undefined;
  /** Time to live in milliseconds. */
  ttl: number | undefined;
  scheduledAt: number | undefined;
  /** The sender's message annotations, without those that the broker writes. */
  annotations: RawEntries;
  bare: Buffer;
}

/** What the broker adds when it hands a message out. */
export interface Stamp {
  sequenceNumber: number;
  enqueuedTime: number;
  deliveryCount: number;
  lockedUntil: number | undefined;
  state: "active" | "deferred" | "scheduled";
}

/** In characters: a quota of the service. */
const MAX_MESSAGE_ID = 128;

/**
 * Annotations that only the broker writes: a message that was received and is sent again still carries the old ones.
 */
const BROKER_ANNOTATIONS = new Set([
  "x-opt-sequence-number",
  "x-opt-enqueued-time",
  "x-opt-locked-until",
  "x-opt-enqueue-sequence-number",
  "x-opt-message-state",
  "x-opt-deadletter-source",
]);
const WIRE_STATE = { active: 0, deferred: 1, scheduled: 2 } as const;

// ---- reading

/** Takes an encoded message apart. Throws `amqp:decode-error`, or that its id is too long. */
export function parse(bytes: Buffer): Content {
  const content: Content = {
    messageId: "",
    durable: false,
    priority: undefined,
    ttl: undefined,
    scheduledAt: undefined,
    annotations: { pairs: 0, bytes: Buffer.alloc(0) },
    bare: Buffer.alloc(0),
  };
  const sections = sectionsOf(bytes);
  const bareStart = sections.find((section) => section.code >= SECTION.properties)?.start;
  if (bareStart !== undefined) content.bare = bytes.subarray(bareStart);
  reading(() => {
    for (const section of sections) {
      if (section.code === SECTION.header) readHeader(bytes, section, content);
      else if (section.code === SECTION.messageAnnotations) readAnnotations(bytes, section, content);
      else if (section.code === SECTION.properties) content.messageId = readMessageId(bytes, section);
    }
  });
  if (content.messageId.length > MAX_MESSAGE_ID) throw messageIdTooLong(MAX_MESSAGE_ID);
  if (content.messageId === "") assignMessageId(content);
  return content;
}

const numberOrNothing = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function readHeader(bytes: Buffer, section: Section, content: Content): void {
  const [durable, priority, ttl] = listAt(bytes, section).map(plain);
  content.durable = durable === true || durable === 1;
  content.priority = numberOrNothing(priority);
  content.ttl = numberOrNothing(ttl);
}

function readAnnotations(bytes: Buffer, section: Section, content: Content): void {
  const kept: Buffer[] = [];
  for (const { key, value, raw } of entriesOf(bytes, section)) {
    if (key === "x-opt-scheduled-enqueue-time") {
      const time = plain(valueAt(bytes, value));
      content.scheduledAt = time instanceof Date ? time.getTime() : numberOrNothing(time);
    }
    if (!BROKER_ANNOTATIONS.has(key)) kept.push(raw);
  }
  content.annotations = { pairs: kept.length, bytes: Buffer.concat(kept) };
}

function readMessageId(bytes: Buffer, section: Section): string {
  const id = plain(listAt(bytes, section)[0]);
  if (id === undefined || id === null) return "";
  return Buffer.isBuffer(id) ? id.toString("hex") : String(id);
}

/** The service gives every message an id; the SDK's lock renewer throws on messages without one. */
function assignMessageId(content: Content): void {
  const { bare } = content;
  const properties = sectionsOf(bare).find((section) => section.code === SECTION.properties);
  const fields = properties ? [...listAt(bare, properties)] : [];
  content.messageId = randomUUID().replaceAll("-", "");
  fields[0] = types.wrap_string(content.messageId);
  const writer = new types.Writer();
  writer.write(types.described_nc(types.wrap_ulong(SECTION.properties), types.List32(fields)));
  content.bare = Buffer.concat([writer.toBuffer(), properties ? bare.subarray(properties.end) : bare]);
}

/** The encoded messages inside a batch (message format 0x80013700): one in each data section. */
export function unbatch(bytes: Buffer): Buffer[] {
  return sectionsOf(bytes)
    .filter((section) => section.code === SECTION.data)
    .map((section) => binaryOf(bytes, section));
}

/** The body for people to read: parsed if it is JSON, the text if it is text, undefined if it is neither. */
export function bodyOf(bare: Buffer): unknown {
  const sections = sectionsOf(bare);
  const value = sections.find((section) => section.code === SECTION.value);
  if (value) return plain(valueAt(bare, value.value));
  const data = sections.filter((section) => section.code === SECTION.data).map((section) => binaryOf(bare, section));
  if (data.length === 0) return undefined;
  const text = Buffer.concat(data).toString();
  try {
    return JSON.parse(text);
  } catch {
    return text.includes("\u{fffd}") ? undefined : text;
  }
}

/** The application properties for people to read. */
export function applicationPropertiesOf(bare: Buffer): Record<string, unknown> {
  const section = sectionsOf(bare).find(({ code }) => code === SECTION.applicationProperties);
  if (!section) return {};
  return Object.fromEntries([...entriesOf(bare, section)].map(({ key, value }) => [key, plain(valueAt(bare, value))]));
}

// ---- writing

function encoded(value: Typed): Buffer {
  const writer = new types.Writer();
  writer.write(value);
  return writer.toBuffer();
}

function entry(key: Typed, value: Typed): Buffer {
  return Buffer.concat([encoded(key), encoded(value)]);
}

/** A map section (map32) of entries that are already encoded. */
function mapSection(code: number, pairs: number, entries: readonly Buffer[]): Buffer {
  const size = entries.reduce((sum, bytes) => sum + bytes.length, 0);
  const head = Buffer.alloc(12);
  head.writeUInt8(0x53, 1);
  head.writeUInt8(code, 2);
  head.writeUInt8(0xd1, 3);
  head.writeUInt32BE(size + 4, 4);
  head.writeUInt32BE(pairs * 2, 8);
  return Buffer.concat([head, ...entries]);
}

/** Sets application properties; those that are there already keep their bytes unless they are named. */
export function withApplicationProperties(bare: Buffer, properties: Record<string, unknown>): Buffer {
  const added = Object.entries(properties).filter(([, value]) => value !== undefined && value !== null);
  if (added.length === 0) return bare;
  const names = new Set(added.map(([key]) => key));
  const before: Buffer[] = [];
  const after: Buffer[] = [];
  const entries: Buffer[] = [];
  for (const section of sectionsOf(bare)) {
    if (section.code === SECTION.applicationProperties) {
      for (const { key, raw } of entriesOf(bare, section)) if (!names.has(key)) entries.push(raw);
    } else {
      (section.code < SECTION.applicationProperties ? before : after).push(bare.subarray(section.start, section.end));
    }
  }
  for (const [key, value] of added) entries.push(entry(types.wrap_string(key), types.wrap(value)));
  return Buffer.concat([...before, mapSection(SECTION.applicationProperties, entries.length, entries), ...after]);
}

/** Encodes a message for a receiver, for peek, and for deferred messages. */
export function encode(content: Content, stamp: Stamp): Buffer {
  const header = messages.header({
    durable: content.durable,
    priority: content.priority,
    ttl: content.ttl,
    first_acquirer: stamp.deliveryCount === 0,
    delivery_count: stamp.deliveryCount,
  });
  const annotations = brokerAnnotations(stamp);
  const pairs = content.annotations.pairs + annotations.length;
  return Buffer.concat([
    encoded(header.described()),
    mapSection(SECTION.messageAnnotations, pairs, [content.annotations.bytes, ...annotations]),
    content.bare,
  ]);
}

const KEY = Object.fromEntries([...BROKER_ANNOTATIONS].map((name) => [name, encoded(types.wrap_symbol(name))]));

function annotation(name: string, typeCode: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt8(typeCode);
  bytes.writeBigInt64BE(value, 1);
  return Buffer.concat([KEY[name] ?? Buffer.alloc(0), bytes]);
}

function brokerAnnotations(stamp: Stamp): Buffer[] {
  const LONG = 0x81;
  const TIMESTAMP = 0x83;
  const list = [
    annotation("x-opt-enqueued-time", TIMESTAMP, BigInt(stamp.enqueuedTime)),
    annotation("x-opt-sequence-number", LONG, BigInt(stamp.sequenceNumber)),
  ];
  if (stamp.lockedUntil !== undefined) {
    list.push(annotation("x-opt-locked-until", TIMESTAMP, BigInt(stamp.lockedUntil)));
  }
  if (stamp.state !== "active") {
    list.push(entry(types.wrap_symbol("x-opt-message-state"), types.wrap_int(WIRE_STATE[stamp.state])));
  }
  return list;
}

/** .NET Guid byte order to RFC 4122 byte order, and back: the first three groups are reversed. */
export function flipGuid(guid: Buffer): Buffer {
  const flipped = Buffer.from(guid);
  flipped.subarray(0, 4).reverse();
  flipped.subarray(4, 6).reverse();
  flipped.subarray(6, 8).reverse();
  return flipped;
}
