/**
 * Whatever is wrong with a request, the answer says what and where, in the contract's words (section 5), and nothing
 * has changed. BAD_REQUESTS says how many requests are made, BAD_SEED repeats a choice of them.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { eachInLanes } from "../../../bench/lib/lanes.ts";
import { operations } from "../../../src/api/operations/index.ts";
import { type Case, knownCases, randomCases } from "./cases.ts";
import { digestOf, type Fixture, newFixture } from "./fixture.ts";
import { isEverywhere, pathOf } from "./paths.ts";
import { STRANGE_QUERIES } from "./random.ts";
import { wrongRefusal } from "./refusals.ts";
import { type Raw, type RawAnswer, sendRaw } from "./wire.ts";

const REQUESTS = Number(process.env.BAD_REQUESTS ?? 2_000);
const SEED = Number(process.env.BAD_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUT = 30_000 + REQUESTS * 20;

/** Most of what is known to be wrong comes up in every run of the tests, all of it in a long one. */
const KNOWN_SHARE = 0.8;

const AT_A_TIME = 24;

/** After so many requests the store is looked at, so that a change can be traced to a few. */
const BETWEEN_LOOKS = 1_000;

test(`${REQUESTS} wrong requests are refused in the contract's words, and change nothing (seed ${SEED})`, {
  timeout: TIMEOUT,
}, async () => {
  const [still, scratch] = await Promise.all([newFixture(), newFixture()]);
  const known = knownCases(still);
  const chosen = some(known, Math.floor(REQUESTS * KNOWN_SHARE));
  const cases = [...chosen, ...randomCases(still, scratch, REQUESTS - chosen.length, SEED)];
  const started = performance.now();
  const complaints = await play(cases, still);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${cases.length} wrong requests from seed ${SEED} (${chosen.length} of ${known.length} known ones): ` +
      `${seconds} s, ${complaints.length} complaints`,
  );
  expect(complaints.slice(0, 20).join("\n")).toBe("");
});

/** So many of them, by the seed. */
function some(cases: Case[], count: number): Case[] {
  if (cases.length <= count) return cases;
  const [order = []] = fc.sample(fc.shuffledSubarray(cases, { minLength: count, maxLength: count }), {
    seed: SEED,
    numRuns: 1,
  });
  return order;
}

/** Answers with what is wrong with the answers. */
async function play(cases: Case[], still: Fixture): Promise<string[]> {
  const complaints: string[] = [];
  const before = await digestOf(still);
  for (let start = 0; start < cases.length; start += BETWEEN_LOOKS) {
    const batch = cases.slice(start, start + BETWEEN_LOOKS);
    await eachInLanes(batch, AT_A_TIME, async (each) => {
      const complaint = await complaintOf(each);
      if (complaint !== undefined) complaints.push(`${each.what}\n    ${complaint}`);
    });
    if ((await digestOf(still)) !== before) {
      complaints.push(`the store has changed by one of:\n${batch.map(({ what }) => what).join("\n")}`);
      break;
    }
  }
  return complaints;
}

async function complaintOf({ request, expected, mayBeRight }: Case): Promise<string | undefined> {
  let answer: RawAnswer;
  try {
    answer = await sendRaw(request);
  } catch (error) {
    return `there is no answer: ${String(error)}`;
  }
  if (mayBeRight && answer.status === 200) return wrongReadBack(answer, request);
  return wrongRefusal(answer, expected, request.path);
}

const READ_AGAIN: Record<string, (created: { id: string; thread_id: string }) => string> = {
  assistant: ({ id }) => `/v1/assistants/${id}`,
  thread: ({ id }) => `/v1/threads/${id}`,
  "thread.message": ({ id, thread_id: thread }) => `/v1/threads/${thread}/messages/${id}`,
};

/** Others may change what is there already at the same moment. */
const CREATES = /\/(assistants|threads|messages)(\?|$)/;

/** What was taken, however strange, must come back as it was answered. */
async function wrongReadBack({ text, type }: RawAnswer, request: Raw): Promise<string | undefined> {
  if (type !== "application/json" || !CREATES.test(request.path)) return undefined;
  const created = JSON.parse(text) as { id: string; thread_id: string; object: string };
  const path = READ_AGAIN[created.object]?.(created);
  if (path === undefined) return undefined;
  const read = await sendRaw({ method: "GET", path, headers: request.headers ?? {} });
  return read.status === 200 && read.text === text
    ? undefined
    : `answered ${text.slice(0, 1_000)}\n    but reads ${read.text.slice(0, 1_000)}`;
}

test("40 MB are refused, whether their length is told before or not", { timeout: 60_000 }, async () => {
  const { tenant, ids } = await newFixture();
  const body = JSON.stringify({ metadata: { big: "x".repeat(40 * 1024 * 1024) } });
  const path = `/v1/threads/${ids.thread_id}`;
  const headers = { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" };

  // Each piece of it waits for its turn in an app that other tests keep busy.
  const request = { method: "POST", path, body, limit: 28_000 };

  const told = await sendRaw({ ...request, headers });
  const chunked = await sendRaw({ ...request, headers: { ...headers, "transfer-encoding": "chunked" } });

  for (const { status, text } of [told, chunked]) {
    expect(status).toBe(413);
    expect(JSON.parse(text).error).toMatchObject({ type: "invalid_request_error", code: "request_too_large" });
  }
});

test("names in a query that mean something elsewhere change nothing of what is asked for", {
  timeout: 60_000,
}, async () => {
  const { tenant, ids } = await newFixture();
  const headers = { authorization: `Bearer ${tenant.key}` };
  const reads = operations.filter((each) => each.method === "GET" && isEverywhere(each) && each.name !== "watchRun");

  for (const operation of reads) {
    const path = `/v1${pathOf(operation, ids)}`;
    const usual = await sendRaw({ method: "GET", path, headers });
    expect(usual.status).toBe(200);
    await eachInLanes(STRANGE_QUERIES, AT_A_TIME, async (query) => {
      // A list of messages may be asked for those of one run.
      if (operation.name === "listMessages" && query.startsWith("run_id")) return;
      // Steps may be asked for with the texts that their searches found.
      if (operation.path.includes("/steps") && query.startsWith("include")) return;
      const { status, text } = await sendRaw({ method: "GET", path: `${path}?${query}`, headers });
      // Azure's host loses the headers, and the key with them, to a parameter of that name.
      if (/^headers=/i.test(query)) expect({ query, status }).toEqual({ query, status: 401 });
      else expect({ query, status, text }).toEqual({ query, status: 200, text: usual.text });
    });
  }
});
