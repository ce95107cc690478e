import { expect, test } from "vitest";
import { Load } from "../../../src/api/load.ts";
import { EventStream } from "../../../src/api/sse.ts";
import { ApiError } from "../../../src/resources/errors.ts";

const LIMITS = { requests: 4, streams: 4, uploads: 4, bodyBytes: 100, unread: 1_000 };
const answer = async () => ({});

async function refusal(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error;
  throw new Error(`not refused, but: ${error}`);
}

/** Requests that go on until they are told to end. */
function hanging(load: Load, tenant: string, bodyBytes = 0) {
  const { promise, resolve } = Promise.withResolvers<object>();
  return { done: load.handle(tenant, bodyBytes, undefined, () => promise), end: () => resolve({}) };
}

test("a tenant with half of the requests is refused and the others are not, until one of its requests ends", async () => {
  const load = new Load(LIMITS, 2);
  const [first] = [hanging(load, "a"), hanging(load, "a")];
  expect((await refusal(load.handle("a", 0, undefined, answer))).status).toBe(429);
  await load.handle("b", 0, undefined, answer);
  expect(load.report()).toMatchObject({
    requests: 2,
    refused: 1,
    tenants: { a: { requests: 2, refused: 1 } },
  });
  first?.end();
  await first?.done;
  await load.handle("a", 0, undefined, answer);
});

test("bodies under way count with their bytes, and a refused one gives its request's place back", async () => {
  const load = new Load(LIMITS, 2);
  const upload = hanging(load, "a", 50);
  expect((await refusal(load.handle("a", 1, undefined, answer))).headers["retry-after"]).toBe("1");
  expect(load.report().tenants.a).toMatchObject({ requests: 1, bodyBytes: 50 });
  await load.handle("a", 0, undefined, answer);
  await load.handle("b", 25, undefined, answer);
  upload.end();
  await upload.done;
  expect(load.report()).toMatchObject({ requests: 0, bodyBytes: 0 });
});

test("a request that fails leaves nothing behind", async () => {
  const load = new Load(LIMITS, 2);
  const fail = () => Promise.reject(new Error("no"));
  await expect(load.handle("a", 10, undefined, fail)).rejects.toThrow("no");
  await expect(load.open("a", fail)).rejects.toThrow("no");
  expect(load.report()).toMatchObject({ requests: 0, streams: 0, uploads: 0, bodyBytes: 0 });
});

async function opened(load: Load, tenant: string): Promise<EventStream> {
  const stream = new EventStream(undefined);
  await load.open(tenant, async () => stream);
  return stream;
}

async function textOf(stream: EventStream): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

test("a stream keeps its place after its run's end, until its client has taken everything", async () => {
  const load = new Load(LIMITS, 2);
  const stream = await opened(load, "a");
  stream.push({ event: "e", data: "some" });
  stream.end();
  await new Promise(setImmediate);
  expect(load.report()).toMatchObject({ streams: 1, tenants: { a: { streams: 1, unread: stream.waiting } } });
  await textOf(stream);
  expect(load.report()).toMatchObject({ streams: 0, unread: 0, tenants: {} });
});

test("a stream keeps its place while its run goes on, though its client has everything so far", async () => {
  const load = new Load(LIMITS, 2);
  const stream = await opened(load, "a");
  const reading = textOf(stream);
  stream.push({ event: "e", data: "some" });
  await new Promise(setImmediate);
  expect(load.report().streams).toBe(1);
  stream.end();
  await reading;
  expect(load.report().streams).toBe(0);
});

const event = (characters: number) => ({ event: "e", data: "x".repeat(characters) });
const CUT = /^event: error\n.*reads too slowly.*\n\nevent: done\n/s;

test("when a tenant's events wait too long, its slowest stream is cut: not the others, and no other tenant's", async () => {
  const load = new Load(LIMITS, 2);
  const [slow, other, foreign] = [await opened(load, "a"), await opened(load, "a"), await opened(load, "b")];
  foreign.push(event(200));
  slow.push(event(300));
  other.push(event(50));
  other.push(event(60));
  expect(slow.ended).toBe(true);
  for (const stream of [slow, other, foreign]) stream.end();
  expect(await textOf(slow)).toMatch(CUT);
  expect(await textOf(other)).toContain("x".repeat(60));
  expect(await textOf(foreign)).toContain("x".repeat(200));
  expect(load.report()).toMatchObject({ streams: 0, unread: 0 });
});

test("a stream that alone is too slow is cut itself, and what it dropped is free", async () => {
  const load = new Load(LIMITS, 2);
  const slow = await opened(load, "a");
  slow.push(event(400));
  slow.push(event(400));
  expect(load.report().unread).toBe(0);
  slow.push(event(1));
  slow.end();
  expect(await textOf(slow)).toMatch(CUT);
});

test("what a stream holds when it is opened counts, too", async () => {
  const load = new Load(LIMITS, 2);
  const stream = new EventStream(undefined);
  stream.push(event(300));
  await load.open("a", async () => stream);
  expect(load.report().unread).toBe(stream.waiting);
});
