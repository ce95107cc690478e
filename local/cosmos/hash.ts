import type { PartitionKey } from "./item.ts";
import type { Value } from "./sql/values.ts";

/**
 * Where a partition key lies in the space that physical partitions divide: its "effective partition key", 32
 * hexadecimal digits for each value of the key. This is the service's version 2 hash: MurmurHash3 (x64, 128 bits) of
 * the typed bytes of a value, lower half first, without its two highest bits. The SDKs compute it too (for bulk
 * requests and feed ranges), so both sides must agree on every bit.
 */
export function effectivePartitionKey({ values }: PartitionKey): string {
  return values.map(hashOfValue).join("");
}

/** The whole space is `0` to `3F…F`; the service writes its ends as the empty text and `FF`. */
export const SPACE = 1n << 126n;

function hashOfValue(value: Value): string {
  const [high, low] = murmur(typedBytes(value));
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64BE(low, 0);
  hash.writeBigUInt64BE(high, 8);
  hash[0] = (hash[0] ?? 0) & 0x3f;
  return hash.toString("hex").toUpperCase();
}

const TYPES = { undefined: 0, null: 1, false: 2, true: 3, number: 5, string: 8 } as const;
const END_OF_STRING = 0xff;

function typedBytes(value: Value): Buffer {
  if (value === null) return Buffer.from([TYPES.null]);
  switch (typeof value) {
    case "boolean":
      return Buffer.from([value ? TYPES.true : TYPES.false]);
    case "number": {
      const bytes = Buffer.alloc(9, TYPES.number);
      bytes.writeDoubleLE(value, 1);
      return bytes;
    }
    case "string":
      return Buffer.concat([Buffer.from([TYPES.string]), Buffer.from(value), Buffer.from([END_OF_STRING])]);
  }
  return Buffer.from([TYPES.undefined]);
}

const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const BLOCK = 16;

const u64 = (value: bigint) => BigInt.asUintN(64, value);
const rotate = (value: bigint, by: bigint) => u64((value << by) | (value >> (64n - by)));
const mixFirst = (value: bigint) => u64(rotate(u64(value * C1), 31n) * C2);
const mixSecond = (value: bigint) => u64(rotate(u64(value * C2), 33n) * C1);

function finish(value: bigint): bigint {
  let mixed = value ^ (value >> 33n);
  mixed = u64(mixed * 0xff51afd7ed558ccdn);
  mixed ^= mixed >> 33n;
  mixed = u64(mixed * 0xc4ceb9fe1a85ec53n);
  return mixed ^ (mixed >> 33n);
}

/** MurmurHash3_x64_128 with the seed 0, as its author Austin Appleby published it. */
function murmur(bytes: Buffer): [bigint, bigint] {
  let h1 = 0n;
  let h2 = 0n;
  const blocks = bytes.length - (bytes.length % BLOCK);
  for (let i = 0; i < blocks; i += BLOCK) {
    h1 ^= mixFirst(bytes.readBigUInt64LE(i));
    h1 = u64(u64(rotate(h1, 27n) + h2) * 5n + 0x52dce729n);
    h2 ^= mixSecond(bytes.readBigUInt64LE(i + 8));
    h2 = u64(u64(rotate(h2, 31n) + h1) * 5n + 0x38495ab5n);
  }
  const tail = Buffer.alloc(BLOCK);
  bytes.copy(tail, 0, blocks);
  h1 ^= mixFirst(tail.readBigUInt64LE(0));
  h2 ^= mixSecond(tail.readBigUInt64LE(8));
  h1 ^= BigInt(bytes.length);
  h2 ^= BigInt(bytes.length);
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  h1 = finish(h1);
  h2 = finish(h2);
  h1 = u64(h1 + h2);
  return [h1, u64(h2 + h1)];
}
