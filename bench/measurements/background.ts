/**
 * What the queue and the worker add to a background run: from sending the request to create it until a client sees it
 * in progress and completed. Three clients look in turns, each at runs of its own: one that polls almost without
 * pause, which comes nearest to the truth; the SDK polling every 50 ms; and one that follows the run's events.
 */
import type OpenAI from "openai";
import { controlModel } from "../../local/model/control.ts";
import type { Bench, Goal, Measurement, Outcome } from "../lib/measurement.ts";
import { median, summary } from "../lib/quantiles.ts";
import { createRun, watchByPolling } from "../lib/runs.ts";
import { QUESTION, type Subject } from "../lib/subject.ts";

/** How long the model takes, in milliseconds: enough for a client to see the run in progress before it completes. */
const MODEL_DELAY = 100;
const WARM_UP = 30;
const EAGER_PAUSE = 2;
const SDK_PAUSE = 50;
const MODEL = "background";

interface Seen {
  started: number[];
  completed: number[];
}

interface Samples {
  model: number[];
  asked: number[];
  eager: Seen;
  sdk: { completed: number[] };
  events: Seen;
}

export const background: Measurement = {
  name: "background",
  title: "Background runs",
  worksRemotely: true,
  measure: (bench) => bench.onApp({}, (subject) => measure(bench, subject)),
};

async function measure(bench: Bench, subject: Subject): Promise<Outcome> {
  const model = await subject.modelThat(MODEL, { text: "A thread is a conversation.", firstTokenMs: MODEL_DELAY });
  const assistant = await subject.assistant(model);
  const none = () => ({ started: [], completed: [] });
  const samples: Samples = { model: [], asked: [], eager: none(), sdk: { completed: [] }, events: none() };
  for (let run = 0; run < WARM_UP; run++)
    await watchByPolling(subject.wire, await subject.thread(), { assistant_id: assistant }, EAGER_PAUSE);
  const rounds = bench.quick ? 10 : 100;
  for (let round = 0; round < rounds; round++) await measureOnce(subject, assistant, samples);
  return outcomeOf(samples, subject.stack === undefined);
}

async function measureOnce(subject: Subject, assistant: string, samples: Samples): Promise<void> {
  const { wire, sdk, stack } = subject;
  const sentAt = Date.now();
  const eager = await watchByPolling(wire, await subject.thread(), { assistant_id: assistant }, EAGER_PAUSE);
  samples.eager.started.push(eager.started);
  samples.eager.completed.push(eager.completed);
  if (stack !== undefined) {
    samples.asked.push(await askedAt(stack.model.baseUrl, sentAt));
    samples.model.push(await directly(subject.modelClient));
  }
  samples.sdk.completed.push(await watchWithSdk(sdk, await subject.thread(), assistant));
  const events = await watchEvents(subject, await subject.thread(), assistant);
  samples.events.started.push(events.started);
  samples.events.completed.push(events.completed);
}

/** When the model server got its latest request, in milliseconds after `since`: the run was in progress before that. */
async function askedAt(modelUrl: string, since: number): Promise<number> {
  const { requests } = await controlModel(modelUrl).report(MODEL);
  return Date.parse(requests.at(-1)?.time ?? "") - since;
}

/** How long the same answer takes without Threadkeep. */
async function directly(client: OpenAI): Promise<number> {
  const messages = [{ role: "user" as const, content: QUESTION }];
  const started = performance.now();
  for await (const _ of await client.chat.completions.create({ model: MODEL, messages, stream: true }));
  return performance.now() - started;
}

async function watchWithSdk(sdk: OpenAI, threadId: string, assistantId: string): Promise<number> {
  const started = performance.now();
  const options = { pollIntervalMs: SDK_PAUSE };
  const run = await sdk.beta.threads.runs.createAndPoll(threadId, { assistant_id: assistantId }, options);
  if (run.status !== "completed") throw new Error(`run ${run.id} is ${run.status}`);
  return performance.now() - started;
}

async function watchEvents({ wire }: Subject, threadId: string, assistantId: string) {
  const sent = performance.now();
  const run = await createRun(wire, threadId, { assistant_id: assistantId });
  const seen = new Map<string, number>();
  const note = (text: string) => {
    for (const [, event = ""] of text.matchAll(/^event: (.+)$/gm)) {
      if (!seen.has(event)) seen.set(event, performance.now() - sent);
    }
  };
  await (await wire.stream("GET", `threads/${threadId}/runs/${run.id}/stream`, undefined, note)).ended;
  const at = (event: string) => seen.get(event) ?? Number.NaN;
  return { started: at("thread.run.in_progress"), completed: at("thread.run.completed") };
}

function outcomeOf({ model, asked, eager, sdk, events }: Samples, isRemote: boolean): Outcome {
  const modelTime = median(model);
  const row = (name: string, times: number[], minus = 0) => {
    const { count, p50, p90, p99 } = summary(times.map((time) => time - minus));
    return [name, count, p50, p90, p99];
  };
  const columns = ["ms after sending the create", "runs", "p50", "p90", "p99"];
  const seen = [
    row(`in progress, polled every ${EAGER_PAUSE} ms`, eager.started),
    row(`completed, polled every ${EAGER_PAUSE} ms`, eager.completed),
    row(`completed, SDK polling every ${SDK_PAUSE} ms`, sdk.completed),
    row("in progress, by the run's events", events.started),
    row("completed, by the run's events", events.completed),
  ];
  if (isRemote) {
    const note = "Left out: what is added to the model's time, which only the local stack can tell.";
    return { tables: [{ title: "Background runs", columns, rows: seen }], goals: [], figures: [], notes: [note] };
  }
  const added = [
    row("the model alone", model),
    row("until the model was asked", asked),
    row(`added, polled every ${EAGER_PAUSE} ms`, eager.completed, modelTime),
    row(`added, SDK polling every ${SDK_PAUSE} ms`, sdk.completed, modelTime),
    row("added, by the run's events", events.completed, modelTime),
  ];
  return {
    tables: [{ title: `Background runs, model delay ${MODEL_DELAY} ms`, columns, rows: [...seen, ...added] }],
    goals: [...goals("", eager, modelTime), ...goals(", by the run's events", events, modelTime)],
    figures: [],
    notes: [
      "The app looks at a followed run soon after each change and then less and less often (a request unit a look), so a client that follows events learns of the end some milliseconds later than a client that polls without pause.",
    ],
  };
}

const goals = (how: string, { started, completed }: Seen, modelTime: number): Goal[] => [
  { text: `created to in progress${how}`, measured: median(started), unit: "ms", bound: 20, kind: "at most" },
  {
    text: `added to the model's time until completed${how}`,
    measured: median(completed) - modelTime,
    unit: "ms",
    bound: 40,
    kind: "at most",
  },
];
