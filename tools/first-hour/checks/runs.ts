/** Runs as clients see them: streams, clients that leave, the first answer, many at once. */
import { z } from "zod";
import { inLanes } from "../app-client.ts";
import { type Check, outcomeOf } from "../check.ts";
import type { Place } from "../place.ts";

/** A run of a model that answers at once. Milliseconds. */
const LONGEST_RUN = 60_000;

const RUN_ID = /"id":\s*"(run_[^"]+)"/;

/** Of a model that takes its time: scripted where it is simulated, else asked for a long answer. */
async function slowAssistant(place: Place): Promise<string> {
  const name = `${place.name}-slow`;
  const { scriptModel } = place.surroundings;
  await scriptModel?.(name, { text: Array(20).fill("word "), tokenMs: 50 });
  return place.app.assistant(scriptModel === undefined ? place.model : name);
}

const LONG_QUESTION = "Count from one to two hundred, in words.";

const streaming: Check = {
  number: 15,
  title: "a stream comes as it is written",
  why: "a front end that buffers or cuts streams makes them useless",
  expected: "in 5 or more pieces, the first text before half of the time, no error; the longest gap under 20 s",
  onlyOnAzure: "a silence of minutes (keep-alive every 15 s) needs a model that is slow",
  writes: true,
  async run(place) {
    const assistant = await slowAssistant(place);
    const thread = await place.app.thread(LONG_QUESTION);
    const times: number[] = [];
    let text = "";
    for await (const piece of place.app.stream(assistant, thread)) {
      text += piece.text;
      if (piece.text.includes("thread.message.delta")) times.push(piece.at);
    }
    const [first = 0, last = 0] = [times[0], times.at(-1)];
    const gap = Math.max(0, ...times.slice(1).map((time, index) => time - (times[index] ?? 0)));
    const problems: string[] = [];
    if (!text.includes("thread.run.completed")) problems.push("the run did not complete");
    if (!text.trimEnd().endsWith("[DONE]")) problems.push("cut");
    if (times.length < 5) problems.push(`${times.length} pieces`);
    else if (first > last / 2) problems.push("buffered");
    if (gap > 20_000) problems.push(`a gap of ${(gap / 1000).toFixed(0)} s`);
    const seconds = (time: number) => `${(time / 1000).toFixed(1)} s`;
    return outcomeOf(
      problems,
      `${times.length} pieces from ${seconds(first)} to ${seconds(last)}, gap ${seconds(gap)}`,
    );
  },
};

const leaving: Check = {
  number: 16,
  title: "the client leaves its stream",
  why: "a run belongs to its thread, not to the connection that started it",
  expected: "the run completes",
  writes: true,
  async run(place) {
    const assistant = await slowAssistant(place);
    const thread = await place.app.thread(LONG_QUESTION);
    let text = "";
    for await (const piece of place.app.stream(assistant, thread)) {
      text += piece.text;
      if (text.includes("thread.message.delta")) break;
    }
    const run = RUN_ID.exec(text)?.[1];
    if (run === undefined) return { got: "the stream tells no run", ok: false };
    const status = await place.app.ending({ thread, run }, LONGEST_RUN);
    return { got: status, ok: status === "completed" };
  },
};

/** Milliseconds. */
const LONGEST_START = 10_000;

const start: Check = {
  number: 17,
  title: "time until a background run begins",
  why: "workers scale from zero by themselves; do --only 17 after 30 quiet minutes to see the cold start",
  expected: `in progress within ${LONGEST_START / 1000} s, then completed`,
  onlyOnAzure: "the cold start of the workers, from zero: seconds",
  writes: true,
  async run(place) {
    const assistant = await place.app.assistant(place.model);
    const ref = await place.app.run(assistant);
    const [status, waited] = await place.app.waitFor(ref, ["in_progress"], LONGEST_RUN);
    const end = await place.app.ending(ref, LONGEST_RUN);
    const got = `${status} after ${(waited / 1000).toFixed(1)} s, then ${end}`;
    return { got, ok: end === "completed" && waited <= LONGEST_START };
  },
};

const READ_BACKS = 1_000;

const readBack: Check = {
  number: 20,
  title: "a thread is read as soon as it is created",
  why: "clients do that, and the second request may meet another instance",
  expected: "0 times 404",
  onlyOnAzure: "with three or more instances",
  writes: true,
  async run(place) {
    const times = Math.ceil(READ_BACKS * place.surroundings.share);
    const counts = new Map<number, number>();
    await inLanes(10, Array.from({ length: times }), async () => {
      const id = await place.app.thread("Hello");
      const { status } = await place.app.call("GET", `/threads/${id}`);
      counts.set(status, (counts.get(status) ?? 0) + 1);
    });
    const got = [...counts].map(([status, count]) => `${count} x ${status}`).join(", ");
    return { got, ok: counts.get(200) === times };
  },
};

const COUNTED = 20;
/** Of docs/performance.md, and what a model's longer answers may add. */
const RUN_UNITS = 68.4;
const MOST_UNITS = RUN_UNITS * 1.15;

const costs = z.object({ cosmos: z.record(z.string(), z.object({ units: z.number() })) });

const runCost: Check = {
  number: 21,
  title: "RU of a background run, by GET /costs",
  why: "docs/performance.md says what a run costs; the account's bill should agree",
  expected: `at most ${MOST_UNITS.toFixed(0)}: ${RUN_UNITS} and 15 % (less where workers have instances of their own)`,
  writes: true,
  async run(place) {
    const { app } = place;
    const before = await unitsOfApp(place);
    if (before === undefined) return { got: "needs SHOW_COSTS=true in the app's settings" };
    const assistant = await app.assistant(place.model);
    const threads = await Promise.all(Array.from({ length: COUNTED }, () => app.thread("Say hello.")));
    const afterThreads = (await unitsOfApp(place)) ?? 0;
    const refs = await Promise.all(threads.map((thread) => app.runOn(thread, assistant)));
    // The polls cost, too: what they add is known.
    const polls = app.polls;
    for (const ref of refs) {
      const status = await app.ending(ref, LONGEST_RUN);
      if (status !== "completed") return { got: `a run is ${status}`, ok: false };
    }
    const reads = (app.polls - polls) * 2 * UNITS_OF_READ;
    const units = ((await unitsOfApp(place)) ?? 0) - afterThreads - reads;
    const each = units / COUNTED;
    return { got: `${each.toFixed(1)} RU`, ok: each > 0 && each <= MOST_UNITS };
  },
};

/** Of a read at Session; a Strong one costs twice as much. */
const UNITS_OF_READ = 1.06;

async function unitsOfApp({ app }: Place): Promise<number | undefined> {
  const { status, text } = await app.fromRoot("/costs");
  if (status !== 200) return undefined;
  return Object.values(costs.parse(JSON.parse(text)).cosmos).reduce((sum, { units }) => sum + units, 0);
}

const BURST = 200;

const burst: Check = {
  number: 22,
  title: `up to ${BURST} background runs at once`,
  why: "Service Bus refuses sends for seconds when it is busy; the sweep must find those runs",
  expected: "all completed",
  onlyOnAzure: "Service Bus's metrics Server Errors and Throttled Requests: the sweep makes up for them",
  writes: true,
  async run(place) {
    const assistant = await place.app.assistant(place.model);
    const refs: { thread: string; run: string }[] = [];
    const items = Array.from({ length: Math.ceil(BURST * place.surroundings.share) });
    await inLanes(20, items, async () => void refs.push(await place.app.run(assistant)));
    const counts = new Map<string, number>();
    const started = performance.now();
    await inLanes(4, refs, async (ref) => {
      const status = await place.app.ending(ref, 2 * LONGEST_RUN);
      counts.set(status, (counts.get(status) ?? 0) + 1);
    });
    const got = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
    const waited = ((performance.now() - started) / 1000).toFixed(1);
    return { got: `${got}; the last ${waited} s after its request`, ok: counts.get("completed") === items.length };
  },
};

export const runChecks = [streaming, leaving, start, readBack, runCost, burst];
