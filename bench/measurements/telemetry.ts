/**
 * What telemetry costs the app: the CPU time of its process for a run, with a collector and without one. Stacks run side
 * by side and work in turns, so that what the machine does meanwhile meets all alike; each round of turns is one
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

/** What an app is told of telemetry, beside where the collector is. */
const VARIANTS = {
  "as it comes": {},
  "all traces": { OTEL_TRACES_SAMPLER: "always_on" },
};
const WITH_A_GOAL = "as it comes";
const OFF = "off";
type Variant = typeof OFF | keyof typeof VARIANTS;
const TOLD = Object.keys(VARIANTS) as (keyof typeof VARIANTS)[];

/** CPU time of each app's process, in milliseconds per run. */
type Round = Record<Variant, number>;

interface Contestant {
  variant: Variant;
  subject: Subject;
  assistant: string;
}

export const telemetry: Measurement = {
  name: "telemetry",
  title: "Telemetry",
  worksRemotely: false,
  measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const collector = await startCollector();
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const withApps = async (variants: Variant[], apps: Contestant[]): Promise<Map<Mode, Round[]>> => {
    const [variant, ...others] = variants;
    if (variant === undefined) return inTurns(bench, apps);
    const env = variant === OFF ? {} : { ...endpoint, ...VARIANTS[variant] };
    return bench.onApp({ env }, async (subject) => {
      const model = await subject.modelThat("telemetry", { text: "A thread is a conversation." });
      return withApps(others, [...apps, { variant, subject, assistant: await subject.assistant(model) }]);
    });
  };
  try {
    const outcome = outcomeOf(await withApps([OFF, ...TOLD], []));
    if (collector.received() === 0) throw new Error("the collector has received nothing");
    outcome.notes.push(`The collector received ${Math.round(collector.received() / 1000)} KB.`);
    return outcome;
  } finally {
    collector.stop();
  }
}

async function inTurns(bench: Bench, apps: Contestant[]): Promise<Map<Mode, Round[]>> {
  const [rounds, runs] = bench.quick ? [1, 20] : [48, 100];
  const measured = new Map<Mode, Round[]>(MODES.map((mode) => [mode, []]));
  for (let round = bench.quick ? 0 : -1; round < rounds; round++) {
    bench.say(round < 0 ? "warming up" : `round ${round + 1} of ${rounds}`);
    for (const mode of MODES) {
      const found: Round = { off: 0, "as it comes": 0, "all traces": 0 };
      // Each is the first, in the middle and the last equally often.
      const first = Math.max(round, 0) % apps.length;
      for (const { variant, subject, assistant } of [...apps.slice(first), ...apps.slice(0, first)]) {
        found[variant] = (await load(subject, assistant, mode, runs, LANES)).cpu?.host ?? Number.NaN;
      }
      if (round >= 0) measured.get(mode)?.push(found);
    }
  }
  return measured;
}

function outcomeOf(measured: Map<Mode, Round[]>): Outcome {
  const rows: Cell[][] = [];
  const goals: Goal[] = [];
  for (const [mode, rounds] of measured) {
    for (const variant of TOLD) {
      const ratios = rounds.map((round) => round[variant] / round.off);
      rows.push([
        mode.name,
        variant,
        median(rounds.map(({ off }) => off)),
        median(rounds.map((round) => round[variant])),
        median(ratios).toFixed(3),
        `${quantile(ratios, 0.25).toFixed(3)} to ${quantile(ratios, 0.75).toFixed(3)}`,
      ]);
      if (variant !== WITH_A_GOAL) continue;
      const text = `${mode.name}: with telemetry, of that without`;
      goals.push({ text, measured: median(ratios), unit: "", bound: 1.05, kind: "at most" });
    }
  }
  const columns = [
    "ms of CPU time per run",
    "traces",
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
      "The process is that of the app and of the local functions host. All metrics and logs go, too. As it comes, the app records 5 new traces a second.",
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
