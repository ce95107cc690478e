import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ID_PREFIXES,
  type IdKind,
  mintId,
  nextSeq,
  randomId,
  seqOfId,
  seqOfMintedId,
} from "../../../src/resources/ids.ts";

const HOUR = 3_600_000;

/**
 * The order of ids is one of the whole process: each test starts later than all that the tests before it minted, and
 * says how much of the future it uses up.
 */
let today = Date.UTC(2026, 10, 23);
function begin(span: number): number {
  const start = today;
  today += span + 1;
  return start;
}

const isAscending = (texts: string[]) => texts.every((text, index) => index === 0 || text > (texts[index - 1] ?? ""));

test("an id is the prefix of its kind, an underscore (of a file, a dash), and 24 letters and digits", () => {
  for (const [kind, prefix] of Object.entries(ID_PREFIXES) as [IdKind, string][]) {
    const shape = new RegExp(`^${prefix}${kind === "file" ? "-" : "_"}[0-9A-Za-z]{24}$`);
    expect(mintId(kind, nextSeq(begin(0)))).toMatch(shape);
    expect(randomId(kind)).toMatch(shape);
  }
  expect(ID_PREFIXES).toEqual({
    assistant: "asst",
    thread: "thread",
    message: "msg",
    run: "run",
    step: "step",
    call: "call",
    file: "file",
    upload: "upload",
    part: "part",
    vector_store: "vs",
    file_batch: "vsfb",
  });
});

test("an object made in a later millisecond sorts behind", () => {
  const start = begin(HOUR);
  const places = [0, 1, 2, 61, 62, 63, 3_843, 3_844, HOUR].map((offset) => nextSeq(start + offset));
  expect(isAscending(places)).toBe(true);
});

test("100,000 objects of one millisecond keep the order in which they were made, and none has another's id", () => {
  const now = begin(100_000);
  const places = Array.from({ length: 100_000 }, () => nextSeq(now));
  expect(isAscending(places)).toBe(true);
  expect(new Set(places).size).toBe(100_000);
});

test("20,000 ids of tool calls are all different", () => {
  expect(new Set(Array.from({ length: 20_000 }, () => randomId("call"))).size).toBe(20_000);
});

test("a clock that jumps, forwards or back, never puts a newer object before an older one", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -HOUR, max: HOUR }), { minLength: 2, maxLength: 30 }), (jumps) => {
      const start = begin(HOUR);
      expect(isAscending(jumps.map((jump) => nextSeq(start + jump)))).toBe(true);
    }),
  );
});

test("a new object sorts behind `after`, also where another instance's clock is ahead", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: HOUR }), fc.integer({ min: 0, max: 3_843 }), (ahead, count) => {
      const start = begin(2 * HOUR);
      let after = nextSeq(start + ahead);
      for (let i = 0; i < count % 7; i++) after = nextSeq(start + ahead, after);
      const next = nextSeq(start, after);
      expect(next > after).toBe(true);
      expect(nextSeq(start, next) > next).toBe(true);
    }),
  );
});

test("a new object sorts behind an `after` that has used up its millisecond's counter", () => {
  const start = begin(10);
  const full = `${nextSeq(start).slice(0, 8)}zzzzzzzzzzzzzzzz`;
  expect(nextSeq(start, full) > full).toBe(true);
});

test("an `after` that lies behind changes nothing", () => {
  const start = begin(HOUR);
  const old = nextSeq(start);
  expect(nextSeq(start + HOUR, old) > old).toBe(true);
});

test("the place of an id is what stands behind its prefix", () => {
  const seq = nextSeq(begin(0));
  expect(seqOfMintedId(mintId("thread", seq))).toBe(seq);
  expect(seqOfId(mintId("message", seq), today)).toBe(seq);
});

test("an id that cannot be one of ours has no place", () => {
  const now = Date.UTC(2026, 10, 23);
  const foreign = [
    "",
    "msg_",
    "msg_abc",
    "nonsense",
    // the length of ours, and as old as the original service or younger than tomorrow
    `msg_${"0".repeat(24)}`,
    `msg_${"z".repeat(24)}`,
    "msg_abcdefghijklmnopqrstuvw-",
    "msg_ü".padEnd(28, "A"),
  ];
  for (const id of foreign) expect(seqOfId(id, now), id).toBeUndefined();
});

test("ids of the original service, 24 random characters, have no place", () => {
  const now = Date.UTC(2026, 10, 23);
  const ids = ["msg_abc123abc123abc123abc123", "thread_BDDwIqM4KgHibXX3mqmN3Lgs", "run_UnNLxRzVb6mvbmuHvRRyR7Zc"];
  for (const id of ids) expect(seqOfId(id, now), id).toBeUndefined();
});

test("an object of a clock that is a little ahead still has its place, one of next week has none", () => {
  const start = begin(8 * 24 * HOUR);
  const soon = mintId("message", nextSeq(start + HOUR));
  expect(seqOfId(soon, start)).toBe(seqOfMintedId(soon));
  const nextWeek = mintId("message", nextSeq(start + 7 * 24 * HOUR));
  expect(seqOfId(nextWeek, start)).toBeUndefined();
});

/** In the year 2081. The last tests of this file: they leave the process there. */
const YEARS_AHEAD = `1${"0".repeat(23)}`;

test("a new object sorts behind an `after` that lies years ahead", () => {
  const start = begin(HOUR);
  const next = nextSeq(start, YEARS_AHEAD);
  expect(next > YEARS_AHEAD).toBe(true);
  expect(nextSeq(start, next) > next).toBe(true);
});

// One thread that was written to by a clock far ahead moves the ids of all threads of this process there.
test("a thread that lies years ahead does not move other threads' objects there", () => {
  const start = begin(HOUR);
  nextSeq(start, YEARS_AHEAD);
  const elsewhere = mintId("message", nextSeq(start));
  expect(seqOfId(elsewhere, start)).toBe(seqOfMintedId(elsewhere));
});
