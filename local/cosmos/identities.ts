import { randomBytes } from "node:crypto";

/** The clock, and the names that the service gives: etags and resource ids. */
export class Identities {
  readonly now: () => number;
  readonly #run = randomBytes(4).toString("hex");
  #count = 0;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** Unique across restarts too: the first part is new in every process. */
  etag(): string {
    return `"${this.#run}-0000-0000-0000-${(++this.#count).toString(16).padStart(12, "0")}"`;
  }
}

const encode = (bytes: Buffer) => bytes.toString("base64").replaceAll("/", "-");

export function databaseRid(database: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(database, 0);
  return encode(bytes);
}

/** Eight bytes with the highest bit of the second half set: the SDK drops session tokens of anything else. */
export function containerRid(database: number, container: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(database, 0);
  bytes.writeUInt32BE((container | 0x80000000) >>> 0, 4);
  return encode(bytes);
}

export function itemRid(containerRid: string, sequence: number): string {
  const bytes = Buffer.alloc(16);
  Buffer.from(containerRid.replaceAll("-", "/"), "base64").copy(bytes);
  bytes.writeBigUInt64BE(BigInt(sequence), 8);
  return encode(bytes);
}
