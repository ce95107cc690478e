/** What runs need on an account of one consistency. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TracedRequest } from "../inside/trace-requests.ts";
import { eachInLanes } from "../lib/lanes.ts";
import type { Bench } from "../lib/measurement.ts";
import { median } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { Pollster } from "../throughput/pollster.ts";
import { type Answer, assistantOf, type Kind, type Kinds, kindsOf, SLOW_MODEL } from "./kinds.ts";
import type { Place } from "./place.ts";
import { StoredThreads } from "./stored.ts";
import { type CosmosCost, costOf, onTracedApp, unitsOf } from "./trace.ts";
import { type Waiting, waitingCosts } from "./waiting.ts";

export type Consistency = "Strong" | "Session";

const TENANT = "cost";

export interface Cost {
  kind: Kind;
  cosmos: CosmosCost;
  /** request units for what expires of it later */
  expiryUnits: number;
  messages: number;
  bytes: number;
  eventBytes: number;
  requests: TracedRequest[];
}

export interface AccountCosts {
  runs: Record<keyof Kinds, Cost>;
  waiting: Waiting;
}

/** `leaseSeconds` as the app's setting. */
export interface Scale {
  answer: Answer;
  leaseSeconds: number;
}

export async function costsOn(bench: Bench, consistency: Consistency, scale: Scale): Promise<AccountCosts> {
  const env = {
    SHOW_COSTS: "true",
    API_KEYS: `${TENANT}:a-key-of-this-benchmark`,
    RUN_LEASE: String(scale.leaseSeconds),
  };
  return onTracedApp(bench, { env, cosmosArgs: ["--consistency", consistency] }, (subject, trace) => {
    const stored = new StoredThreads(subject.local);
    return measure(bench, { subject, trace, stored, tenant: TENANT }, consistency, scale).finally(() => stored.close());
  });
}

async function measure(bench: Bench, place: Place, consistency: Consistency, scale: Scale): Promise<AccountCosts> {
  const { tokens, tokenMs } = scale.answer;
  const pieces = Array.from({ length: tokens }, (_, index) => ` ${String(index).padStart(3, "0")}`);
  await place.subject.modelThat(SLOW_MODEL, { text: pieces, tokenMs });
  const kinds = kindsOf(bench.quick, scale.answer);
  const samples = new Map<keyof Kinds, Sample[]>();
  // Streamed runs first: the wake-ups for the ends of their leases come while the others are measured.
  for (const name of ["streamed", "long", "followed", "simple", "withTool", "bare", "constant"] as const) {
    bench.say(`${consistency}: ${kinds[name].name}`);
    samples.set(name, await samplesOf(place, kinds[name]));
  }
  const waiting = await waitingCosts(place);
  await guardsHandled(place.subject, scale.leaseSeconds);
  const cost = async (name: keyof Kinds) => typical(place, kinds[name], samples.get(name) ?? []);
  const runs = {
    simple: await cost("simple"),
    withTool: await cost("withTool"),
    streamed: await cost("streamed"),
    long: await cost("long"),
    followed: await cost("followed"),
    bare: await cost("bare"),
    constant: await cost("constant"),
  };
  return { runs, waiting };
}

/** One run, as far as it can be told when its client knows its end. */
interface Sample {
  partition: string;
  assistant: string;
  pollster: Pollster;
  /** when the client began, and when it knew the end */
  from: number;
  to: number;
  messages: number;
  bytes: number;
  eventBytes: number;
}

async function samplesOf(place: Place, kind: Kind): Promise<Sample[]> {
  const { subject, stored } = place;
  const isInstant = kind.model === "instant";
  // The first runs of a kind read what later ones know already.
  for (let i = 0; i < kind.warmUps; i++) await runOnce(place, kind);
  const sent = await messagesSent(subject);
  const samples: Sample[] = [];
  const indexes = Array.from({ length: kind.repetitions }, (_, index) => index);
  // Slow runs mostly wait: they are under way together.
  await eachInLanes(indexes, isInstant ? 1 : kind.repetitions, async () => {
    samples.push(await runOnce(place, kind));
  });
  const messages = ((await messagesSent(subject)) - sent) / (samples.length * (kind.constants === undefined ? 1 : 2));
  for (const sample of samples) {
    const after = await stored.bytes(sample.partition);
    sample.messages = messages;
    sample.bytes = total(after) - sample.bytes;
    sample.eventBytes = after.events ?? 0;
  }
  return samples;
}

/** With an assistant of its own, whose reading is thereby the run's. `bytes` are those that are there before. */
async function runOnce({ subject, stored, tenant }: Place, kind: Kind): Promise<Sample> {
  const assistant = await assistantOf(subject, kind);
  const threadId = await subject.thread(kind.mode.question);
  const partition = `${tenant}:${threadId}`;
  const complete = (pollster: Pollster) => kind.mode.complete(subject.wire, threadId, assistant, pollster);
  if (kind.constants !== undefined) await complete(new Pollster(1));
  const bytes = total(await stored.bytes(partition));
  const pollster = new Pollster(1);
  const from = now();
  await complete(pollster);
  return { partition, assistant, pollster, from, to: now(), messages: 0, bytes, eventBytes: 0 };
}

const now = () => performance.timeOrigin + performance.now();

/** The sample whose request units are the median, with all that was asked for it until now. */
async function typical({ trace, stored, tenant }: Place, kind: Kind, samples: Sample[]): Promise<Cost> {
  const all = trace.requests();
  const costs: { sample: Sample; requests: TracedRequest[] }[] = samples.map((sample) => ({
    sample,
    requests: all.filter((request) => belongsTo(request, sample, tenant)).toSorted((a, b) => a.from - b.from),
  }));
  const middle = median(costs.map(({ requests }) => unitsOf(requests)));
  const found = costs.find(({ requests }) => unitsOf(requests) === middle);
  if (found === undefined) throw new Error(`nothing was measured of a ${kind.name}`);
  const { sample, requests } = found;
  const { messages, bytes, eventBytes } = sample;
  const expiryUnits = await stored.expire(sample.partition);
  return { kind, cosmos: costOf(requests, sample.to), expiryUnits, messages, bytes, eventBytes, requests };
}

/** The requests to its thread, and those for its assistant, after its client began. */
function belongsTo(request: TracedRequest, sample: Sample, tenant: string): boolean {
  const { partition, assistant, from, pollster } = sample;
  if (request.from < from) return false;
  if (request.partition === partition) return !isPoll(request, pollster);
  return request.partition === tenant && request.path.includes(assistant);
}

/** A client that waits makes the app read the run, and the thread of one that has ended: not the run's need. */
const isPoll = ({ method, path, isLook, from, to }: TracedRequest, { looks }: Pollster) =>
  method === "GET" &&
  !isLook &&
  /\/docs\/(run|thread)_/.test(path) &&
  looks.some(([began, ended]) => began <= from && to <= ended);

const total = (bytes: Record<string, number>) => Object.values(bytes).reduce((sum, each) => sum + each, 0);

async function messagesSent({ local }: Subject): Promise<number> {
  const { serviceBus } = (await (await fetch(new URL("/costs", local.baseUrl))).json()) as {
    serviceBus: { sent: number };
  };
  return serviceBus.sent;
}

interface QueuedMessage {
  state: string;
  /** when it comes or came, in ISO 8601 */
  scheduledTime?: string;
}

/**
 * Resolves when the wake-ups for the ends of leases have come and are handled. Those for the ends of runs come much
 * later, and do nothing by then.
 */
async function guardsHandled({ local }: Subject, leaseSeconds: number): Promise<void> {
  const last = Date.now() + leaseSeconds * 1000;
  const isDue = ({ state, scheduledTime = "" }: QueuedMessage) =>
    state !== "scheduled" || Date.parse(scheduledTime) <= last;
  for (;;) {
    const answer = await fetch(`${local.serviceBus.controlUrl}/_local/queues/runs/messages`);
    const { messages } = (await answer.json()) as { messages: QueuedMessage[] };
    if (!messages.some(isDue)) return;
    await sleep(50);
  }
}
