/**
 * What telemetry costs the app: the CPU time of its process for a run, with a collector and without one. Two stacks run
 * side by side and work in turns, so that what the machine does meanwhile meets both alike; each pair of turns is one
 * comparison.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Bench, Cell, Goal, Measurement, Outcome } from "../lib/measurement.ts";
import { median, quantile } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { load } from "../throughput/load.ts";
import { BACKGROUND, type Mode, STREAMED } from "../throughput/modes.ts";

const LANES = 8;
const MODES = [BACKGROUND, STREAMED];

/** CPU time of the app's process, in milliseconds per run. */
interface Pair {
  off: number;
  on: number;
}

export const telemetry: Measurement = {
  name: "telemetry",
  title: "Telemetry",
  worksRemotely: false,
  measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const collector = await startCollector();
  try {
    return await bench.onApp({}, (off) =>
      bench.onApp({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } }, async (on) => {
        const outcome = outcomeOf(await inTurns(bench, off, on));
        if (collector.received() === 0) throw new Error("the collector has received nothing");
        outcome.notes.push(`The collector received ${Math.round(collector.received() / 1000)} KB.`);
        return outcome;
      }),
    );
  } finally {
    collector.stop();
  }
}

async function inTurns(bench: Bench, off: Subject, on: Subject): Promise<Map<Mode, Pair[]>> {
  const [pairs, runs] = bench.quick ? [1, 20] : [16, 200];
  const measured = new Map<Mode, Pair[]>(MODES.map((mode) => [mode, []]));
  const assistants = new Map<Subject, string>();
  for (const subject of [off, on]) {
    const model = await subject.modelThat("telemetry", { text: "A thread is a conversation." });
    assistants.set(subject, await subject.assistant(model));
  }
  const cpu = async (subject: Subject, mode: Mode) =>
    (await load(subject, assistants.get(subject) ?? "", mode, runs, LANES)).cpu?.host ?? Number.NaN;
  for (let pair = bench.quick ? 0 : -1; pair < pairs; pair++) {
    bench.say(pair < 0 ? "warming up" : `pair ${pair + 1} of ${pairs}`);
    for (const mode of MODES) {
      const found = { off: 0, on: 0 };
      // Each goes first equally often.
      const order = [["off", off] as const, ["on", on] as const];
      for (const [name, subject] of pair % 2 === 0 ? order : order.toReversed()) found[name] = await cpu(subject, mode);
      if (pair >= 0) measured.get(mode)?.push(found);
    }
  }
  return measured;
}

function outcomeOf(measured: Map<Mode, Pair[]>): Outcome {
  const rows: Cell[][] = [];
  const goals: Goal[] = [];
  for (const [mode, pairs] of measured) {
    const ratios = pairs.map(({ on, off }) => on / off);
    rows.push([
      mode.name,
      median(pairs.map(({ off }) => off)),
      median(pairs.map(({ on }) => on)),
      median(ratios).toFixed(3),
      `${quantile(ratios, 0.25).toFixed(3)} to ${quantile(ratios, 0.75).toFixed(3)}`,
    ]);
    goals.push({
      text: `${mode.name}: with and without`,
      measured: median(ratios),
      unit: "",
      bound: 1.05,
      kind: "at most",
    });
  }
  const columns = [
    "ms of CPU time per run",
    "without",
    "with a collector",
    "ratio, median",
    "middle half of the ratios",
  ];
  return {
    tables: [{ title: "Telemetry", columns, rows }],
    goals,
    figures: [],
    notes: [
      "The process is that of the app and of the local functions host. Every run is traced; metrics and logs go too.",
    ],
  };
}

/** Takes everything, and answers as a collector does. */
async function startCollector(): Promise<{ url: string; received(): number; stop(): void }> {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on("data", (piece: Buffer) => {
      bytes += piece.length;
    });
    request.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, received: () => bytes, stop };
}
