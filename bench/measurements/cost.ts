/** What a run costs: Cosmos DB requests and request units, Service Bus messages, bytes kept, dollars. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { billFor, OPERATIONS_PER_MESSAGE, PRICES, PRICES_OF, sumOf } from "../cost/prices.ts";
import { storedBytes } from "../cost/stored.ts";
import { type CosmosCost, cosmosRequests, costOf, describe } from "../cost/trace.ts";
import type { TracedRequest } from "../inside/trace-requests.ts";
import { inside } from "../lib/inside.ts";
import type { Bench, Cell, Goal, Measurement, Outcome, Table } from "../lib/measurement.ts";
import { median } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { BACKGROUND, FUNCTION, GUARDS_DONE, type Mode, STREAMED, WITH_TOOL_CALL } from "../throughput/modes.ts";
import { Pollster } from "../throughput/pollster.ts";

const TENANT = "cost";

/** How long a model call is assumed to take, in seconds: an instance is charged while it waits for the model. */
const MODEL_SECONDS = 2;

const LARGE_CONSTANTS = 32_000;

const STREAM_TOKENS = 500;
const STREAM_TOKEN_MS = 20;
const STREAM_SECONDS = (STREAM_TOKENS * STREAM_TOKEN_MS) / 1000;

/** How many runs an instance is assumed to serve at a time, for the bill. */
const SHARING = 16;

interface Kind {
  name: string;
  mode: Mode;
  model: string;
  repetitions: number;
  /** of instructions and tools, in characters; if it is said, the thread's second run is measured */
  constants?: number;
  /** function executions beside polls, and the seconds they run in all */
  executions: number;
  seconds: number;
}

interface Cost {
  kind: Kind;
  cosmos: CosmosCost;
  messages: number;
  bytes: number;
  eventBytes: number;
  requests: TracedRequest[];
}

export const cost: Measurement = {
  name: "cost",
  title: "Cost",
  worksRemotely: false,
  async measure(bench) {
    const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-cost-"));
    const trace = path.join(folder, "requests");
    const env = {
      ...inside("trace-requests"),
      REQUEST_TRACE: trace,
      SHOW_COSTS: "true",
      API_KEYS: `${TENANT}:a-key-of-this-benchmark`,
      // The queries of the sweep, every 15 s, are not the cost of any single run.
      "AzureWebJobs.sweep.Disabled": "true",
    };
    try {
      return await bench.onApp({ env }, (subject) => measure(bench, subject, trace));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

function kindsOf(bench: Bench): Kind[] {
  const repetitions = bench.quick ? 2 : 5;
  return [
    {
      name: "simple background run",
      mode: BACKGROUND,
      model: "instant",
      repetitions,
      executions: 2,
      seconds: MODEL_SECONDS,
    },
    {
      name: "run with a tool call",
      mode: WITH_TOOL_CALL,
      model: "instant",
      repetitions,
      executions: 4,
      seconds: 2 * MODEL_SECONDS,
    },
    // One execution streams; another handles the wake-up that was sent for the end of the lease.
    {
      name: `streamed run, ${STREAM_TOKENS} tokens in ${STREAM_SECONDS} s`,
      mode: STREAMED,
      model: "tokens",
      repetitions: bench.quick ? 1 : 3,
      executions: 2,
      seconds: STREAM_SECONDS,
    },
    secondRun("without instructions and tools", 0, repetitions),
    secondRun(`with ${LARGE_CONSTANTS / 1000} KB of them`, LARGE_CONSTANTS, repetitions),
  ];
}

const secondRun = (what: string, constants: number, repetitions: number): Kind => ({
  name: `second run of a thread ${what}`,
  mode: BACKGROUND,
  model: "instant",
  repetitions,
  constants,
  executions: 2,
  seconds: MODEL_SECONDS,
});

async function measure(bench: Bench, subject: Subject, trace: string): Promise<Outcome> {
  const pieces = Array.from({ length: STREAM_TOKENS }, (_, index) => ` ${String(index).padStart(3, "0")}`);
  await subject.modelThat("tokens", { text: pieces, tokenMs: STREAM_TOKEN_MS });
  const costs: Cost[] = [];
  for (const kind of kindsOf(bench)) {
    bench.say(kind.name);
    costs.push(await costOfKind(subject, kind, trace));
  }
  return outcomeOf(costs);
}

async function costOfKind(subject: Subject, kind: Kind, trace: string): Promise<Cost> {
  const { mode } = kind;
  const assistant = await assistantOf(subject, kind);
  const warm = kind.model === "instant" ? 3 : 0;
  const samples: Cost[] = [];
  for (let i = -warm; i < kind.repetitions; i++) {
    const threadId = await subject.thread(mode.question);
    const partition = `${TENANT}:${threadId}`;
    if (kind.constants !== undefined) await mode.complete(subject.wire, threadId, assistant, new Pollster(1));
    const bytesBefore = total(await storedBytes(subject.local, partition));
    const [seen, sent] = [tracedBy(subject, trace).length, await messagesSent(subject)];
    const pollster = new Pollster(1);
    await mode.complete(subject.wire, threadId, assistant, pollster);
    const requests = tracedBy(subject, trace)
      .slice(seen)
      .filter((request) => !isPoll(request, pollster));
    const stored = await storedBytes(subject.local, partition);
    if (i < 0) continue;
    samples.push({
      kind,
      requests,
      cosmos: costOf(requests),
      messages: (await messagesSent(subject)) - sent,
      bytes: total(stored) - bytesBefore,
      eventBytes: stored.events ?? 0,
    });
  }
  if (mode.requests.streams > 0) await addGuards(subject, trace, samples);
  return typical(samples);
}

async function assistantOf(subject: Subject, { model, constants }: Kind): Promise<string> {
  if (constants === undefined) return subject.assistant(model, [FUNCTION]);
  const text = "x".repeat(constants / 2);
  const tool = {
    type: "function" as const,
    function: { name: FUNCTION, parameters: { type: "object", description: text } },
  };
  const own = constants === 0 ? {} : { instructions: text, tools: [tool] };
  return (await subject.sdk.beta.assistants.create({ model, ...own })).id;
}

/** Adds to each sample the cost of the wake-up that comes when the lease of a streamed run ends. */
async function addGuards(subject: Subject, trace: string, samples: Cost[]): Promise<void> {
  const seen = tracedBy(subject, trace).length;
  await sleep(GUARDS_DONE);
  const { requests, units } = costOf(tracedBy(subject, trace).slice(seen));
  for (const { cosmos } of samples) {
    cosmos.requests += requests / samples.length;
    cosmos.units += units / samples.length;
  }
}

const tracedBy = (subject: Subject, trace: string) => cosmosRequests(trace, subject.local.cosmos.endpoint);

/** A client that waits makes the app read the run, and the thread of one that has ended: not the run's need. */
const isPoll = ({ method, path, from, to }: TracedRequest, { looks }: Pollster) =>
  method === "GET" &&
  /\/docs\/(run|thread)_/.test(path) &&
  looks.some(([began, ended]) => began <= from && to <= ended);

const total = (bytes: Record<string, number>) => Object.values(bytes).reduce((sum, each) => sum + each, 0);

async function messagesSent({ local }: Subject): Promise<number> {
  const { serviceBus } = (await (await fetch(new URL("/costs", local.baseUrl))).json()) as {
    serviceBus: { sent: number };
  };
  return serviceBus.sent;
}

/** The sample whose request units are the median. */
function typical(samples: Cost[]): Cost {
  const middle = median(samples.map(({ cosmos }) => cosmos.units));
  const sample = samples.find(({ cosmos }) => cosmos.units === middle);
  if (sample === undefined) throw new Error("nothing was measured");
  return sample;
}

function outcomeOf(costs: Cost[]): Outcome {
  const rows = costs.map(({ kind, cosmos, messages, bytes, eventBytes }): Cell[] => [
    kind.name,
    cosmos.requests,
    cosmos.roundTrips,
    cosmos.units,
    messages,
    bytes,
    eventBytes,
  ]);
  const columns = [
    "per run, polls excluded",
    "Cosmos DB requests",
    "one after the other",
    "RU",
    "Service Bus messages",
    "bytes stored",
    "of which events, for a day",
  ];
  return {
    tables: [{ title: "What a run needs", columns, rows }, dollars(costs), ...costs.slice(0, 2).map(listing)],
    goals: goalsFor(costs),
    figures: [],
    notes: [
      `List prices, East US, as of ${PRICES_OF}; check before use. Cosmos DB serverless $${PRICES.perMillionUnits} per million RU and $${PRICES.perGigabyteMonth} per GB and month (autoscale costs less per RU where the load is steady). Service Bus Standard $${PRICES.perMillionOperations} per million operations, ${OPERATIONS_PER_MESSAGE} a message, beyond the 13 million that the $${PRICES.serviceBusBaseMonth} a month hold. Functions Flex Consumption $${PRICES.perMillionExecutions} per million executions and $${PRICES.perGigabyteSecond} per GB-s of a 2 GB instance, which is charged while a run waits for its model (here ${MODEL_SECONDS} s a call, ${STREAM_SECONDS} s the stream): so what it costs is decided by how many runs share it. Free grants are left out, and so are polls, storage and logs.`,
      "The local server computes request units by the published rules; Azure's own figures may differ by some percent.",
      "The last request of a streamed run is that of the wake-up which comes when its lease ends.",
    ],
  };
}

function dollars(costs: Cost[]): Table {
  const rows = costs.map(({ kind, cosmos, messages }): Cell[] => {
    const run = { units: cosmos.units, messages, executions: kind.executions, seconds: kind.seconds };
    const [alone, shared] = [billFor(run, 1), billFor(run, SHARING)];
    return [kind.name, alone.cosmos, alone.serviceBus, alone.executions, shared.instance, sumOf(shared), sumOf(alone)];
  });
  const columns = [
    "$ per million runs",
    "Cosmos DB",
    "Service Bus",
    "executions",
    `instance, ${SHARING} runs sharing it`,
    "in all",
    "in all, one run at a time",
  ];
  return { title: "Dollars by list price", columns, rows };
}

function listing({ kind, requests }: Cost): Table {
  const began = requests[0]?.from ?? 0;
  const rows = requests.map((request): Cell[] => [
    describe(request),
    request.status,
    request.units,
    Math.round((request.from - began) * 10) / 10,
    request.to - request.from,
  ]);
  const columns = ["request", "status", "RU", "begins after ms", "takes ms"];
  return { title: `The Cosmos DB requests of a ${kind.name}`, columns, rows };
}

function goalsFor([simple, , streamed, bare, constant]: Cost[]): Goal[] {
  if (simple === undefined || streamed === undefined || bare === undefined || constant === undefined) return [];
  const goal = (text: string, measured: number, unit: string, bound: number): Goal => ({
    text,
    measured,
    unit,
    bound,
    kind: "at most",
  });
  return [
    goal("simple background run: Cosmos DB", simple.cosmos.requests, "requests", 5),
    goal("simple background run: Cosmos DB", simple.cosmos.units, "RU", 65),
    goal("simple background run: Service Bus", simple.messages, "messages", 2),
    goal(`streamed run of ${STREAM_SECONDS} s: Cosmos DB`, streamed.cosmos.units, "RU", 200),
    goal(
      "32 KB of instructions and tools, from a thread's second run on",
      constant.cosmos.units / bare.cosmos.units,
      "times the RU without",
      1.15,
    ),
    goal("streamed run: 3 round trips and one a second", streamed.cosmos.roundTrips, "round trips", 3 + STREAM_SECONDS),
  ];
}
