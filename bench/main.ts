/** `npm run bench`: measures, prints tables, keeps the results as JSON. See docs/performance.md. */
import { writeDocs } from "./docs/page.ts";
import type { Bench, Measurement } from "./lib/measurement.ts";
import { isMet } from "./lib/measurement.ts";
import { pace, paceNote } from "./lib/pace.ts";
import { addResult, machine, type Result, readResults } from "./lib/results.ts";
import { onLocalStack, Subject } from "./lib/subject.ts";
import { consoleTable, goalTable } from "./lib/text.ts";
import { background } from "./measurements/background.ts";
import { capacity } from "./measurements/capacity.ts";
import { codeRuns } from "./measurements/code-runs.ts";
import { codeSessions } from "./measurements/code-sessions.ts";
import { coldStart } from "./measurements/cold-start.ts";
import { cost } from "./measurements/cost.ts";
import { fairnessSize } from "./measurements/fairness-size.ts";
import { growth } from "./measurements/growth.ts";
import { ingestion } from "./measurements/ingestion.ts";
import { streams } from "./measurements/streams.ts";
import { telemetry } from "./measurements/telemetry.ts";
import { throughput } from "./measurements/throughput.ts";
import { ttft } from "./measurements/ttft.ts";
import { uploads } from "./measurements/uploads.ts";
import { type Options, readOptions, usage } from "./options.ts";

const MEASUREMENTS = [
  ttft,
  background,
  throughput,
  telemetry,
  cost,
  capacity,
  growth,
  streams,
  fairnessSize,
  uploads,
  ingestion,
  coldStart,
  codeSessions,
  codeRuns,
];

const options = optionsOrExit();
if (options.writeDocs) writeDocs(readResults(options.json));
else await measureAll(options);

function optionsOrExit(): Options {
  try {
    const read = readOptions(process.argv.slice(2));
    if (read !== "help") return read;
    console.log(usage(names()));
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage(names())}`);
    process.exit(2);
  }
}

async function measureAll(options: Options): Promise<void> {
  const bench = benchOf(options);
  console.log(machine());
  for (const measurement of chosen(options)) {
    if (bench.isRemote && !measurement.worksRemotely) {
      console.log(`\n${measurement.name}: left out, since it needs the local stack.`);
      continue;
    }
    console.log(`\n${measurement.title} (${measurement.name})${options.quick ? ", quick: not for quoting" : ""}`);
    const measuredAt = new Date().toISOString();
    const before = pace();
    const outcome = await measurement.measure(bench);
    const { name, title } = measurement;
    const { quick } = options;
    const result: Result = { name, title, measuredAt, machine: machine(), pace: [before, pace()], quick, ...outcome };
    show(result);
    addResult(options.json, result);
  }
  console.log(`\nResults are in ${options.json}.`);
}

function names(): string[] {
  return MEASUREMENTS.map(({ name }) => name);
}

function chosen({ only }: Options): Measurement[] {
  const unknown = only?.find((name) => !names().includes(name));
  if (unknown !== undefined) {
    console.error(`There is no measurement "${unknown}", only ${names().join(", ")}.`);
    process.exit(2);
  }
  return MEASUREMENTS.filter(({ name }) => only?.includes(name) ?? true);
}

function benchOf({ quick, appDir, profile, target }: Options): Bench {
  return {
    quick,
    appDir,
    profile,
    isRemote: target !== undefined,
    async onApp(stackOptions, work) {
      if (target === undefined) return onLocalStack({ ...(appDir && { appDir }), ...stackOptions }, work);
      const subject = new Subject(target);
      return work(subject).finally(() => subject.close());
    },
    say: (text) => console.error(`  … ${text}`),
  };
}

function show({ tables, goals, notes, pace }: Result): void {
  for (const table of tables) console.log(`\n${consoleTable(table)}`);
  if (goals.length > 0) console.log(`\n${consoleTable(goalTable(goals))}`);
  for (const note of [...notes, paceNote(pace)]) console.log(`\n  ${note}`);
  const missed = goals.filter((goal) => !isMet(goal)).length;
  if (missed > 0) console.log(`\n  ${missed} of ${goals.length} goals missed.`);
}
