import { randomBytes } from "node:crypto";

/** 8 kB of random bytes at a time: one call of the system for 512 locks. */
let randomPool = Buffer.alloc(0);

/** A random lock token: a version 4 UUID in RFC 4122 byte order. */
export function newLockToken(): Buffer {
  if (randomPool.length < 16) randomPool = randomBytes(16 * 512);
  const uuid = randomPool.subarray(0, 16);
  randomPool = randomPool.subarray(16);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x40, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuid;
}
