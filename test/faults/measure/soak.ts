/**
 * Hours of a steady load in small: background, streamed, tool-calling and cancelled runs at a fixed rate, every thread
 * deleted after use, so that only the app itself could grow.
 *
 *   node test/faults/measure/soak.ts [minutes=20] [runs a second=6]
 *
 * Promise: in the second half the app's memory does not climb (less than 0.5 MB a minute), its open files stay flat, its
 * answers do not get slower, and every run ends as it should.
 */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import { quantile } from "../../../bench/lib/quantiles.ts";
import type { Child } from "../../../local/child.ts";
import { controlModel } from "../../../local/model/control.ts";
import { startStack } from "../../../local/stack.ts";
import { buildIfStale } from "../../e2e/build.ts";
import { slope, useOf } from "./figures.ts";
import { type Load, STORIES, tellStory } from "./load.ts";

const MINUTES = Number(process.argv[2] ?? 20);
const RATE = Number(process.argv[3] ?? 6);

/** Between two looks at the processes. Milliseconds. */
const SAMPLE = 60_000;

/** MB a minute. */
const PROMISED_SLOPE = 0.5;
/** Open files that may come and go with connections. */
const PROMISED_FDS = 30;
/** Of the last quarter's median latency to that of the first. */
const PROMISED_SLOWDOWN = 1.5;

interface Sample {
  minute: number;
  functions: ReturnType<typeof useOf>;
  servers: Record<string, ReturnType<typeof useOf>>;
  creates: number[];
  polls: number[];
}

buildIfStale();
const stack = await startStack({ modelDelays: { firstTokenMs: 20, tokenMs: 10 } });
try {
  const load = await prepareLoad();
  const samples = await soak(load);
  judge(samples, load);
} finally {
  await stack.stop();
}

async function prepareLoad(): Promise<Load> {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  const control = controlModel(stack.model.baseUrl);
  await control.script("talking", [{ text: words(30) }], { repeat: true });
  await control.script("long", [{ text: words(200), tokenMs: 50 }], { repeat: true });
  // No script for the third: the simulated model calls what its user names, and talks when the outputs are there.
  const assistantOf = async (model: string) =>
    (await client.beta.assistants.create({ model, tools: [{ type: "function", function: { name: "lookup" } }] })).id;
  return {
    client,
    assistants: {
      talking: await assistantOf("talking"),
      long: await assistantOf("long"),
      calling: await assistantOf("calling"),
    },
    creates: [],
    polls: [],
    endings: {},
    problems: [],
  };
}

function words(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `word${number} `);
}

/** Starts a story at every beat, however long the others take: a slow app gets no easier load. */
async function soak(load: Load): Promise<Sample[]> {
  const samples: Sample[] = [];
  const underWay = new Set<Promise<void>>();
  const started = Date.now();
  console.log(
    "minute | app RSS, heap MB, fds, CPU s | cosmos MB, fds | service-bus | model | create p50, p99 ms | poll",
  );
  for (let told = 0; samples.length < MINUTES; told++) {
    await sleep(Math.max(0, started + (told * 1000) / RATE - Date.now()));
    const kind = STORIES[told % STORIES.length] ?? "background";
    const story: Promise<void> = tellStory(load, kind).finally(() => underWay.delete(story));
    underWay.add(story);
    if (Date.now() >= started + (samples.length + 1) * SAMPLE) samples.push(sample(load, samples.length + 1));
  }
  await Promise.all(underWay);
  return samples;
}

function sample(load: Load, minute: number): Sample {
  const { functions, cosmos, serviceBus, model } = stack.processes;
  const servers = [cosmos, serviceBus, model].filter((server) => server !== undefined);
  const taken: Sample = {
    minute,
    functions: use(functions),
    servers: Object.fromEntries(servers.map((server) => [server.name, use(server)])),
    creates: load.creates.splice(0),
    polls: load.polls.splice(0),
  };
  console.log(row(taken));
  return taken;
}

function use({ pid }: Child) {
  return useOf(pid ?? 0);
}

function row({ minute, functions, servers, creates, polls }: Sample): string {
  const times = (values: number[]) => [0.5, 0.99].map((share) => quantile(values, share).toFixed(1)).join(" ");
  const { rss, heap, fds, cpu } = functions;
  const others = Object.values(servers).map((server) => `${server.rss.toFixed(0)} ${server.fds}`);
  const app = [rss.toFixed(0), heap.toFixed(0), fds, cpu.toFixed(0)].join(" ");
  return [minute, app, ...others, times(creates), times(polls)].join(" | ");
}

function judge(samples: Sample[], { endings, problems }: Load): void {
  const half = samples.slice(Math.floor(samples.length / 2));
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const climb = slope(half.map(({ functions }) => functions.rss));
  const fds = half.map((each) => each.functions.fds);
  const spread = Math.max(...fds) - Math.min(...fds);
  const slowdown = (kind: "creates" | "polls") =>
    quantile(
      samples.slice(-quarter).flatMap((each) => each[kind]),
      0.5,
    ) /
    quantile(
      samples.slice(0, quarter).flatMap((each) => each[kind]),
      0.5,
    );
  const [creates, polls] = [slowdown("creates"), slowdown("polls")];
  console.log(
    `ended: ${Object.entries(endings)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ")}`,
  );
  console.log(
    `second half: RSS ${climb.toFixed(2)} MB a minute, fds within ${spread}; ` +
      `median of last quarter to first: creates ${creates.toFixed(2)}, polls ${polls.toFixed(2)}`,
  );
  for (const problem of problems.slice(0, 20)) console.log(problem);
  const kept =
    problems.length === 0 &&
    climb < PROMISED_SLOPE &&
    spread <= PROMISED_FDS &&
    Math.max(creates, polls) < PROMISED_SLOWDOWN;
  console.log(kept ? "kept" : "BROKEN");
  if (!kept) process.exitCode = 1;
}
