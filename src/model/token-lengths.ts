/**
 * The tokens of a text, as numbers of bytes. Loading this takes some hundred milliseconds of a core and 50 MB, so only
 * threads that nothing waits for load it.
 */
import ranks from "gpt-tokenizer/bpeRanks/o200k_base";
import { encode, setMergeCacheSize } from "gpt-tokenizer/encoding/o200k_base";
import { pieces } from "./slices.ts";

/** Words that the tokenizer remembers: by default 100,000. */
const REMEMBERED_WORDS = 10_000;

/** What looks like a control token in a file is text. */
const PLAIN = { disallowedSpecial: new Set<string>() };

setMergeCacheSize(REMEMBERED_WORDS);

/** By token: how many bytes of UTF-8 it stands for. */
const LENGTHS = Uint8Array.from(ranks, (bytes) =>
  typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length,
);

/**
 * How many bytes of UTF-8 each token of this slice (slices.ts) stands for, in their order. They add up to the slice's
 * bytes if it is well-formed.
 */
export function tokenLengths(slice: string): number[] {
  return pieces(slice).flatMap((piece) => encode(piece, PLAIN).map((token) => LENGTHS[token] ?? 0));
}
