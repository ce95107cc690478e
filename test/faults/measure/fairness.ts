/**
 * Two tenants: one takes all that the app gives it, of every limit at once, and keeps asking for more. What does the other
 * one notice?
 *
 *   node test/faults/measure/fairness.ts                     (some three minutes)
 *   node test/faults/measure/fairness.ts --waiting 2500      with more of the flood's runs waiting for a worker
 *
 * Promise: of the quiet tenant's 500 requests, 50 streams and 50 background runs none is refused, and the median of each
 * is no more than twice as long as it is when the tenant is alone.
 */
import { once } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import OpenAI, { RateLimitError } from "openai";
import { inLanes } from "../../../bench/lib/lanes.ts";
import { quantile } from "../../../bench/lib/quantiles.ts";
import { controlModel } from "../../../local/model/control.ts";
import { startStack } from "../../../local/stack.ts";
import { buildIfStale } from "../../e2e/build.ts";
import { until, useOf } from "./figures.ts";

const { values: options } = parseArgs({ options: { waiting: { type: "string", default: "50" } } });

/** Small limits, so that what is measured is their sharing and not the machine. */
const LIMITS = {
  MAX_REQUESTS: "100",
  MAX_STREAMS: "100",
  MAX_BODIES_MB: "100",
  MAX_UNREAD_MB: "4",
  MAX_OVERDUE_RUNS: options.waiting,
};

const FLOOD_KEY = "a-key-of-the-flood";
const QUIET_KEY = "a-key-of-the-quiet-one";
const MEGABYTE = 1_048_576;
/** Two of these and many small ones are just below half of the bodies. Bytes. */
const UPLOAD = Math.floor(24.9 * MEGABYTE);
/** Streams of much text that are never read. */
const READERS = 4;
const REQUESTS = 500;
const STREAMS = 50;
const RUNS = 50;
/** Clients of the quiet tenant at a time. */
const LANES = 3;
/** Between what one of them does and does next: a quiet tenant does not use up the machine by itself. Milliseconds. */
const PAUSE = 50;
/** How often the flood tries again at each limit. Milliseconds. */
const RETRY = 200;
/** For what a busy machine needs its time for. Milliseconds. */
const PATIENCE = 120_000;
const PROMISED_RATIO = 2;

interface Kind {
  name: string;
  count: number;
  /** what the quiet tenant does once */
  work: () => Promise<unknown>;
}

interface Figures {
  p50: number;
  refused: number;
  failed: number;
}

buildIfStale();
const stack = await startStack({
  env: {
    API_KEYS: `flood:${FLOOD_KEY},quiet:${QUIET_KEY}`,
    ...LIMITS,
    SHOW_COSTS: "true",
    RUN_LIFETIME: "3600",
    MODEL_FIRST_TOKEN_TIMEOUT: "600",
  },
});
const clientOf = (apiKey: string) => new OpenAI({ baseURL: stack.baseUrl, apiKey, maxRetries: 0 });
const [flood, quiet] = [clientOf(FLOOD_KEY), clientOf(QUIET_KEY)];
const over = new AbortController();
const sent: ClientRequest[] = [];
const refusals: Record<string, number> = {};
try {
  await measure();
} finally {
  over.abort();
  for (const request of sent) request.destroy();
  await stack.stop();
}

async function measure(): Promise<void> {
  const kinds = await quietKinds();
  // The first of everything loads what the others need.
  for (const { work } of kinds) await work();
  const alone = await figuresOf(kinds);
  await floodEverything();
  const { holds } = await costs();
  console.log(`the flood holds ${JSON.stringify(holds.tenants.flood)}, and was refused: ${JSON.stringify(refusals)}`);
  console.log(`the flood alone keeps the app busy for ${(await cpuShare()).toFixed(2)} of a processor`);
  console.log(`wake-ups in the queues: ${JSON.stringify(await wakeUps())}`);
  const beside = await figuresOf(kinds);
  console.log(`at the end it was refused: ${JSON.stringify(refusals)}`);
  console.log(`and the queues hold: ${JSON.stringify(await wakeUps())}`);
  let kept = true;
  for (const { name, count } of kinds) {
    const [before, after] = [alone[name], beside[name]];
    if (before === undefined || after === undefined) throw new Error(`${name} was not measured`);
    const ratio = after.p50 / before.p50;
    kept &&= ratio <= PROMISED_RATIO && after.refused + after.failed === 0;
    console.log(
      `${name}: ${after.refused} refused and ${after.failed} failed of ${count}; p50 ${before.p50.toFixed(1)} ms alone, ` +
        `${after.p50.toFixed(1)} ms beside the flood, ratio ${ratio.toFixed(2)}`,
    );
  }
  console.log(kept ? "kept" : "BROKEN");
  if (!kept) process.exitCode = 1;
}

/** Of the app, while nothing but the flood happens. */
async function cpuShare(): Promise<number> {
  const { pid = 0 } = stack.processes.functions;
  const [before, started] = [useOf(pid).cpu, performance.now()];
  await sleep(5_000);
  return (useOf(pid).cpu - before) / ((performance.now() - started) / 1000);
}

async function quietKinds(): Promise<Kind[]> {
  const assistant = await assistantOf(quiet, "quiet", { text: "Because it is so.", firstTokenMs: 20, tokenMs: 5 });
  const request = { assistant_id: assistant };
  const { threads } = quiet.beta;
  return [
    { name: "requests", count: REQUESTS, work: () => newThread(quiet) },
    {
      name: "streams",
      count: STREAMS,
      work: async () => expectCompleted(await threads.runs.stream(await newThread(quiet), request).finalRun()),
    },
    {
      name: "background runs",
      count: RUNS,
      work: async () =>
        expectCompleted(await threads.runs.createAndPoll(await newThread(quiet), request, { pollIntervalMs: 20 })),
    },
  ];
}

function expectCompleted({ id, status }: { id: string; status: string }): void {
  if (status !== "completed") throw new Error(`${id} is ${status}`);
}

async function figuresOf(kinds: Kind[]): Promise<Record<string, Figures>> {
  const figures: Record<string, Figures> = {};
  for (const { name, count, work } of kinds) {
    const times: number[] = [];
    let [refused, failed] = [0, 0];
    await inLanes(count, LANES, async () => {
      const started = performance.now();
      try {
        await work();
        times.push(performance.now() - started);
      } catch (error) {
        if (error instanceof RateLimitError) refused += 1;
        else failed += 1;
      }
      await sleep(PAUSE);
    });
    figures[name] = { p50: quantile(times, 0.5), refused, failed };
  }
  return figures;
}

/** Resolves when the flood has been refused at every limit; it goes on asking until the end. */
async function floodEverything(): Promise<void> {
  const [hanging, talkative] = await Promise.all([
    assistantOf(flood, "hanging", { hang: true }),
    assistantOf(flood, "talkative", { text: Array(60_000).fill("w ") }),
  ]);
  const run = async (assistant: string, stream: boolean) => {
    const body = { assistant_id: assistant, stream, thread: { messages: [{ role: "user", content: "Why?" }] } };
    return send("/threads/runs", JSON.stringify(body));
  };
  // In this order: what needs a request to begin comes before the requests are used up.
  for (let reader = 0; reader < READERS; reader++) await run(talkative, true);
  await until(async () => ((await costs()).holds.tenants.flood?.unread ?? 0) > 0, PATIENCE);
  // They have said everything: their work is not what is measured here.
  await until(async () => (await costs()).holds.runs === 0, PATIENCE);
  await untilRefused("background runs", () => run(hanging, false));
  await untilRefused("streams", () => run(hanging, true));
  for (let upload = 0; upload < 2; upload++) await send("/threads", "{", UPLOAD);
  await untilRefused("requests", () => send("/threads", "{", 1_000));
  await untilRefused("bodies", () => send("/threads", "{", UPLOAD));
}

/** Asks until it is refused, and goes on in the background, more slowly. */
async function untilRefused(limit: string, ask: () => Promise<number | undefined>): Promise<void> {
  const refused = async () => {
    const isRefused = (await ask()) === 429;
    if (isRefused) refusals[limit] = (refusals[limit] ?? 0) + 1;
    return isRefused;
  };
  for (const end = Date.now() + PATIENCE; !(await refused()); ) {
    if (Date.now() > end) throw new Error(`the flood was never refused at ${limit}`);
  }
  void (async () => {
    while (!over.signal.aborted) {
      await refused().catch(() => undefined);
      await sleep(RETRY, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
}

/** Sends a body, or the beginning of a longer one, and reads nothing of the answer but its status, if it comes soon. */
async function send(path: string, body: string, length = Buffer.byteLength(body)): Promise<number | undefined> {
  const request = httpRequest(stack.baseUrl + path, {
    method: "POST",
    agent: false,
    headers: { authorization: `Bearer ${FLOOD_KEY}`, "content-type": "application/json", "content-length": length },
  });
  request.on("error", () => {});
  sent.push(request);
  request.write(body);
  const response = once(request, "response").then(([answer]) => (answer as IncomingMessage).statusCode);
  const status = await Promise.race([response, sleep(length > Buffer.byteLength(body) ? 300 : 10_000)]);
  if (status === 429) request.destroy();
  return status ?? undefined;
}

async function assistantOf(client: OpenAI, model: string, turn: object): Promise<string> {
  await controlModel(stack.model.baseUrl).script(model, [turn], { repeat: true });
  return (await client.beta.assistants.create({ model })).id;
}

async function newThread(client: OpenAI): Promise<string> {
  return (await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] })).id;
}

/** How many messages each queue holds, those that workers have included. */
async function wakeUps(): Promise<Record<string, number>> {
  const response = await fetch(new URL("/_local/queues", stack.serviceBus.controlUrl));
  const { queues } = (await response.json()) as { queues: { name: string; active: number }[] };
  return Object.fromEntries(queues.map(({ name, active }) => [name, active]));
}

async function costs() {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  return (await response.json()) as { holds: { runs: number; tenants: Record<string, Record<string, number>> } };
}
