/** Whether latency and cost grow with the length of a thread, or with the number of threads in the store. */
import type OpenAI from "openai";
import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";
import { controlModel } from "../../local/model/control.ts";
import { firstTokenOf, firstTokenOfModel } from "../lib/first-token.ts";
import { eachInLanes, inLanes } from "../lib/lanes.ts";
import type { Bench, Cell, Figure, Measurement, Outcome } from "../lib/measurement.ts";
import { median } from "../lib/quantiles.ts";
import { watchByPolling } from "../lib/runs.ts";
import type { Subject } from "../lib/subject.ts";

const MODEL = "growth";
const ANSWER = { text: "It is about threads." };

const WARM_UP = 5;

const ENV = { SHOW_COSTS: "true", "AzureWebJobs.sweep.Disabled": "true" };

/** How a run chooses what its model reads: by default, or the newest twenty messages. */
const STRATEGIES = {
  auto: { type: "auto" },
  "last 20": { type: "last_messages", last_messages: 20 },
} as const;
type Strategy = keyof typeof STRATEGIES;

/** The figures of one streamed and one background run, or the medians of many. */
interface Point {
  /** Milliseconds until the first token of a streamed run, beyond what the model takes for the same request. */
  addedFirstToken: number;
  /** Milliseconds from creating a background run to seeing it completed. */
  background: number;
  units: number;
  /** What the model got to read. */
  messages: number;
}

export const growth: Measurement = {
  name: "growth",
  title: "Growth",
  worksRemotely: false,
  async measure(bench) {
    const byLength = await bench.onApp({ env: ENV }, (subject) => threadLengths(bench, subject));
    const byThreads = await threadCounts(bench);
    return {
      tables: [...byLength.tables, ...byThreads.tables],
      goals: [...byLength.goals, ...byThreads.goals],
      figures: byLength.figures,
      notes: [
        "`auto` gives the model as many messages as its context holds (MODEL_CONTEXT_TOKENS, 100,000 by default): a longer thread has a longer prompt, and reading it costs what it costs. With `last_messages` the prompt is the same at any length.",
        "Added time to the first token: the model, asked directly with the very request that Threadkeep sends it, is subtracted.",
      ],
    };
  },
};

async function threadLengths(bench: Bench, subject: Subject): Promise<Outcome> {
  const lengths = bench.quick ? [10, 100, 1000] : [10, 100, 1000, 10_000];
  const places: Place[] = [];
  for (const length of lengths) places.push(await placeOf(subject, length));
  const measured = new Map<Strategy, Point[]>();
  for (const strategy of ["auto", "last 20"] as const) {
    bench.say(`truncation ${strategy}`);
    measured.set(strategy, await pointsAt(bench, places, strategy));
  }
  const rows = [...measured].flatMap(([strategy, points]) =>
    points.map((point, index) => row(`${strategy}, ${lengths[index]?.toLocaleString("en-US")} messages`, point)),
  );
  const steady = measured.get("last 20") ?? [];
  return {
    tables: [{ title: "By the length of the thread", columns: columnsFor("truncation and thread"), rows }],
    goals: ratioGoals(`${lengths.at(-1)?.toLocaleString("en-US")} messages against 10`, steady[0], steady.at(-1)),
    figures: [figure(lengths, measured)],
    notes: [],
  };
}

/** On as many stores, so that they can be measured in turns. */
async function threadCounts(bench: Bench): Promise<Outcome> {
  const counts = bench.quick ? [1, 100, 1000] : [1, 100, 10_000];
  const points = await onStoresOf(bench, counts, [], (places) => pointsAt(bench, places, "last 20"));
  const rows = points.map((point, index) => row(`${counts[index]?.toLocaleString("en-US")} threads`, point));
  return {
    tables: [{ title: "By the number of threads", columns: columnsFor("threads in the store"), rows }],
    goals: ratioGoals(`${counts.at(-1)?.toLocaleString("en-US")} threads against 1`, points[0], points.at(-1)),
    figures: [],
    notes: [],
  };
}

async function onStoresOf<Result>(
  bench: Bench,
  counts: number[],
  places: Place[],
  work: (places: Place[]) => Promise<Result>,
): Promise<Result> {
  const [count, ...others] = counts;
  if (count === undefined) return work(places);
  return bench.onApp({ env: ENV }, async (subject) => {
    bench.say(`${count} threads`);
    await inLanes(count - 1, 16, async () => void (await subject.thread()));
    return onStoresOf(bench, others, [...places, await placeOf(subject, 10)], work);
  });
}

/** Where runs are measured: a thread of an app. */
interface Place {
  subject: Subject;
  assistant: string;
  model: OpenAI;
  /** Threads to run on, this many. */
  threads(count: number): Promise<string[]>;
}

/**
 * From this many messages on, one thread serves all runs of a place: their answers hardly lengthen it. A shorter thread
 * is made anew for each run.
 */
const LONG = 10_000;

async function placeOf(subject: Subject, length: number): Promise<Place> {
  const model = subject.modelClient;
  const assistant = await subject.assistant(await subject.modelThat(MODEL, ANSWER));
  const kept = length >= LONG ? await threadOf(subject, length) : undefined;
  const threads = async (count: number) => {
    const ids: string[] = [];
    while (ids.length < count) ids.push(kept ?? (await threadOf(subject, length)));
    return ids;
  };
  return { subject, assistant, model, threads };
}

/** What one request may create a thread with; the other messages are added one by one. */
const MOST_AT_ONCE = 500;
const LANES = 8;

/** The id of a thread of so many short messages. */
async function threadOf(subject: Subject, length: number): Promise<string> {
  const messages = Array.from({ length }, (_, index) => ({
    role: "user",
    content: `This is message number ${String(index).padStart(6, "0")} of a long conversation.`,
  }));
  const first = messages.slice(0, MOST_AT_ONCE);
  const { id } = await subject.wire.json<{ id: string }>("POST", "threads", { messages: first });
  await eachInLanes(messages.slice(MOST_AT_ONCE), LANES, async (message) => {
    await subject.wire.json("POST", `threads/${id}/messages`, message);
  });
  return id;
}

/** One point for each place. The places take turns, so that a change of the machine's speed affects all of them. */
async function pointsAt(bench: Bench, places: Place[], strategy: Strategy): Promise<Point[]> {
  const samples = places.map((): Point[] => []);
  const rounds = WARM_UP + (bench.quick ? 8 : 40);
  // Made in advance: creating a long thread leaves garbage behind, and collecting it would slow a measured run.
  const threads: string[][] = [];
  for (const place of places) threads.push(await place.threads(rounds));
  for (let round = 0; round < rounds; round++) {
    for (const [index, place] of places.entries()) {
      const sample = await measureOnce(place, threads[index]?.[round] ?? "", strategy);
      if (round >= WARM_UP) samples[index]?.push(sample);
    }
  }
  return samples.map((points) => {
    const middle = (of: (point: Point) => number) => median(points.map(of));
    return {
      addedFirstToken: middle((point) => point.addedFirstToken),
      background: middle((point) => point.background),
      units: middle((point) => point.units),
      messages: middle((point) => point.messages),
    };
  });
}

async function measureOnce({ subject, assistant, model }: Place, thread: string, strategy: Strategy): Promise<Point> {
  const run = { assistant_id: assistant, truncation_strategy: STRATEGIES[strategy] };
  const before = await unitsUsed(subject);
  const streamed = await firstTokenOf(subject, thread, run);
  const units = (await unitsUsed(subject)) - before;
  const request = await lastRequest(subject.local.model.baseUrl);
  const addedFirstToken = streamed - (await firstTokenOfModel(model, request));
  const { completed } = await watchByPolling(subject.wire, thread, run, 2);
  return { addedFirstToken, background: completed, units, messages: request.messages.length };
}

async function unitsUsed({ local }: Subject): Promise<number> {
  const response = await fetch(new URL("/costs", local.baseUrl));
  const { cosmos } = (await response.json()) as { cosmos: Record<string, { units: number }> };
  return Object.values(cosmos).reduce((sum, { units }) => sum + units, 0);
}

/** The app's latest request to the model. Empties the model's record of requests, which are large here. */
async function lastRequest(modelUrl: string): Promise<ChatCompletionCreateParamsStreaming> {
  const control = controlModel(modelUrl);
  const { requests } = await control.report(MODEL);
  await control.forget(MODEL);
  await control.script(MODEL, [ANSWER], { repeat: true });
  return requests.at(-1)?.body as ChatCompletionCreateParamsStreaming;
}

const columnsFor = (what: string) => [what, "messages read", "added first token ms", "background ms", "RU, streamed"];

const row = (name: string, point: Point): Cell[] => [
  name,
  point.messages,
  point.addedFirstToken,
  point.background,
  point.units,
];

function ratioGoals(what: string, small: Point | undefined, large: Point | undefined): Outcome["goals"] {
  if (small === undefined || large === undefined) return [];
  const goal = (figure: string, of: (point: Point) => number) => ({
    text: `${figure}: ${what}`,
    measured: of(large) / of(small),
    unit: "times",
    bound: 1.2,
    kind: "at most" as const,
  });
  return [
    goal("added time to first token", (point) => point.addedFirstToken),
    goal("background run", (point) => point.background),
    goal("request units", (point) => point.units),
  ];
}

function figure(lengths: number[], measured: Map<Strategy, Point[]>): Figure {
  const line = (strategy: Strategy) => ({
    name: strategy === "auto" ? "auto: all that fits the context" : "last 20 messages",
    points: (measured.get(strategy) ?? []).map(({ addedFirstToken }, index): [number, number] => [
      lengths[index] ?? 0,
      addedFirstToken,
    ]),
  });
  return {
    file: "performance-growth.svg",
    title: "Added time to the first token by thread length",
    x: { label: "messages in the thread", scale: "log" },
    y: { label: "ms added" },
    lines: [line("auto"), line("last 20")],
  };
}
