/**
 * Added time to the first token: a streamed run against the same model server asked directly, by the same client, in
 * turns. Thread and question are there before the clock starts, as in a chat.
 */
import { firstTokenOf, firstTokenOfModel } from "../lib/first-token.ts";
import type { Bench, Figure, Measurement, Outcome } from "../lib/measurement.ts";
import { median, quantile, summary } from "../lib/quantiles.ts";
import { MESSAGES, type Subject } from "../lib/subject.ts";

const WARM_UP = 20;
const ANSWER = "A thread is a conversation. It keeps the messages of a user and an assistant in their order.";

interface Samples {
  direct: number[];
  threadkeep: number[];
}

export const ttft: Measurement = {
  name: "ttft",
  title: "Time to the first token",
  worksRemotely: true,
  measure: (bench) => bench.onApp({}, (subject) => measureAt([0, 300], bench, subject)),
};

async function measureAt(delays: number[], bench: Bench, subject: Subject): Promise<Outcome> {
  if (subject.stack === undefined) return deployed(bench, subject);
  const outcome: Outcome = { tables: [], goals: [], figures: [], notes: [] };
  const rows = [];
  for (const delay of delays) {
    bench.say(`model delay ${delay} ms`);
    const samples = await compare(bench, subject, delay);
    rows.push(row(`direct, model delay ${delay} ms`, samples.direct));
    rows.push(row(`Threadkeep, model delay ${delay} ms`, samples.threadkeep));
    const [direct, threadkeep] = [median(samples.direct), median(samples.threadkeep)];
    rows.push([
      `added at ${delay} ms`,
      samples.direct.length,
      threadkeep - direct,
      "",
      "",
      `× ${(threadkeep / direct).toFixed(3)}`,
    ]);
    outcome.goals.push(goalAt(delay, direct, threadkeep));
    if (delay > 0) outcome.figures.push(distribution(samples, delay));
  }
  const columns = ["ms from request to first token", "runs", "p50", "p90", "p99", "ratio of p50"];
  outcome.tables.push({ title: "Time to the first token", columns, rows });
  return outcome;
}

function goalAt(delay: number, direct: number, threadkeep: number): Outcome["goals"][number] {
  return delay === 0
    ? {
        text: "added time to first token, instant model",
        measured: threadkeep - direct,
        unit: "ms",
        bound: 15,
        kind: "at most",
      }
    : {
        text: `ratio at a model delay of ${delay} ms`,
        measured: threadkeep / direct,
        unit: "",
        bound: 1.05,
        kind: "at most",
      };
}

async function compare(bench: Bench, subject: Subject, delay: number): Promise<Samples> {
  const model = await subject.modelThat(`first-token-after-${delay}`, { text: ANSWER, firstTokenMs: delay });
  const assistant = await subject.assistant(model);
  const direct = subject.modelClient;
  const request = { model, messages: MESSAGES };
  const fast = delay === 0;
  const runs = bench.quick ? 5 : fast ? 300 : 100;
  const samples: Samples = { direct: [], threadkeep: [] };
  for (let run = -(fast && !bench.quick ? WARM_UP : 3); run < runs; run++) {
    const thread = await subject.thread();
    const ways = [
      ["direct", () => firstTokenOfModel(direct, request)],
      ["threadkeep", () => firstTokenOf(subject, thread, { assistant_id: assistant })],
    ] as const;
    // Each way goes first equally often, so that what one leaves behind affects both alike.
    for (const [name, ask] of run % 2 === 0 ? ways : ways.toReversed()) {
      const time = await ask();
      if (run >= 0) samples[name].push(time);
    }
  }
  return samples;
}

/** A deployed app's times only: this program cannot ask its model directly. */
async function deployed(bench: Bench, subject: Subject): Promise<Outcome> {
  const assistant = await subject.assistant(await subject.modelThat("", {}));
  const times: number[] = [];
  for (let run = 0; run < (bench.quick ? 5 : 30); run++) {
    times.push(await firstTokenOf(subject, await subject.thread(), { assistant_id: assistant }));
  }
  const columns = ["ms from request to first token", "runs", "p50", "p90", "p99"];
  const table = { title: "Time to the first token", columns, rows: [row("Threadkeep and its model", times)] };
  const note = "Left out: the comparison with the model itself, which only the local stack can make.";
  return { tables: [table], goals: [], figures: [], notes: [note] };
}

function row(name: string, times: number[]) {
  const { count, p50, p90, p99 } = summary(times);
  return [name, count, p50, p90, p99, ""].slice(0, 6);
}

const SHARES = Array.from({ length: 100 }, (_, index) => (index + 1) / 100);

function distribution(samples: Samples, delay: number): Figure {
  const points = (times: number[]) => SHARES.map((share): [number, number] => [quantile(times, share), share * 100]);
  return {
    file: "performance-latency.svg",
    title: `Time to the first token, model delay ${delay} ms`,
    x: { label: "ms from request to first token", scale: "linear" },
    y: { label: "% of requests" },
    lines: [
      { name: "model asked directly", points: points(samples.direct) },
      { name: "through Threadkeep", points: points(samples.threadkeep) },
    ],
  };
}
