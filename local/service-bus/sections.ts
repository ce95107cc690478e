/** The sections of an encoded AMQP 1.0 message, found without decoding the values in them. */
import { malformed } from "./errors.ts";
import { type Typed, types } from "./rhea-internals.ts";

export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  sequence: 0x76,
  value: 0x77,
  footer: 0x78,
} as const;

/** Where a section lies in the encoded message; `value` is the offset of the constructor byte of its value. */
export interface Section {
  code: number;
  start: number;
  value: number;
  end: number;
}

/** Bytes that a value takes, its constructor included. The high half of the constructor tells the width. */
function widthOfValue(bytes: Buffer, at: number): number {
  const code = bytes.readUInt8(at);
  if (code === 0) {
    const descriptor = widthOfValue(bytes, at + 1);
    return 1 + descriptor + widthOfValue(bytes, at + 1 + descriptor);
  }
  switch (code >>> 4) {
    case 0x4:
      return 1;
    case 0x5:
      return 2;
    case 0x6:
      return 3;
    case 0x7:
      return 5;
    case 0x8:
      return 9;
    case 0x9:
      return 17;
    case 0xa:
    case 0xc:
    case 0xe:
      return 2 + bytes.readUInt8(at + 1);
    case 0xb:
    case 0xd:
    case 0xf:
      return 5 + bytes.readUInt32BE(at + 1);
    default:
      throw malformed(`Unknown AMQP type 0x${code.toString(16)}.`);
  }
}

/** Reading past the end is the sender's fault, not an internal error. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw malformed("The message is truncated.");
    throw error;
  }
}

/** Splits an encoded message in its sections without decoding their values. */
export function sectionsOf(bytes: Buffer): Section[] {
  return reading(() => {
    const sections: Section[] = [];
    for (let at = 0; at < bytes.length; ) {
      const section = sectionAt(bytes, at);
      sections.push(section);
      at = section.end;
    }
    return sections;
  });
}

function sectionAt(bytes: Buffer, start: number): Section {
  const descriptor = bytes.readUInt8(start) === 0 ? bytes.readUInt8(start + 1) : undefined;
  let code: number;
  let value: number;
  if (descriptor === 0x53) {
    code = bytes.readUInt8(start + 2);
    value = start + 3;
  } else if (descriptor === 0x80) {
    code = Number(bytes.readBigUInt64BE(start + 2));
    value = start + 10;
  } else {
    throw malformed("A message section with a numeric descriptor was expected.");
  }
  const end = value + widthOfValue(bytes, value);
  if (end > bytes.length) throw malformed("The message is truncated.");
  return { code, start, value, end };
}

/** Decodes one value; RangeErrors of rhea's reader are the caller's to handle. */
export function valueAt(bytes: Buffer, at: number): Typed {
  const reader = new types.Reader(bytes);
  reader.position = at;
  return reader.read();
}

export function listAt(bytes: Buffer, section: Section): Typed[] {
  const { value } = valueAt(bytes, section.value);
  return Array.isArray(value) ? value : [];
}

export const plain = (value: Typed | undefined): unknown =>
  value === undefined ? undefined : types.unwrap(value, true);

/** The entries of a map section: key as text, and the bytes of key and value together. */
export function* entriesOf(bytes: Buffer, section: Section): Generator<{ key: string; value: number; raw: Buffer }> {
  const code = bytes.readUInt8(section.value);
  if (code !== 0xc1 && code !== 0xd1) throw malformed("A map was expected.");
  for (let at = section.value + (code === 0xc1 ? 3 : 9); at < section.end; ) {
    const value = at + widthOfValue(bytes, at);
    const end = value + widthOfValue(bytes, value);
    yield { key: String(plain(valueAt(bytes, at))), value, raw: bytes.subarray(at, end) };
    at = end;
  }
}

export function binaryOf(bytes: Buffer, section: Section): Buffer {
  const code = bytes.readUInt8(section.value);
  if (code !== 0xa0 && code !== 0xb0) throw malformed("Binary data was expected.");
  return bytes.subarray(section.value + (code === 0xa0 ? 2 : 5), section.end);
}
