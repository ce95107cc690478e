/**
 * What an account of each kind carries: the local Cosmos DB takes so many request units a second as the account would,
 * and answers 429 beyond that.
 */
import { LEVELS, type Level, QUICK_LEVELS } from "../capacity/levels.ts";
import { isBehind, type Load, type Offered, offer } from "../capacity/offer.ts";
import { beyondTable, type Carried, carriesTable, notesFor, pricesTable } from "../capacity/tables.ts";
import type { TracedPlace } from "../cost/place.ts";
import { onTracedApp } from "../cost/trace.ts";
import type { Bench, Measurement, Outcome } from "../lib/measurement.ts";
import type { Subject } from "../lib/subject.ts";

const TENANT = "capacity";

/** Runs a second that find out what a run needs. */
const SLOWLY = 4;

/**
 * Behind the offer without a 429, with runs that take so much longer: then the machine is at its limit. Milliseconds.
 */
const LATER = 500;

export const capacity: Measurement = {
  name: "capacity",
  title: "What an account carries",
  worksRemotely: false,
  measure: (bench) => {
    const env = { API_KEYS: `${TENANT}:a-key-of-this-benchmark` };
    return onTracedApp(bench, { env }, (subject, trace) => measure(bench, { subject, trace, tenant: TENANT }));
  },
};

async function measure(bench: Bench, place: TracedPlace): Promise<Outcome> {
  const loads = await loadsOf(bench, place.subject);
  const levels = bench.quick ? QUICK_LEVELS : LEVELS;
  const carried: Carried[] = [];
  for (const load of loads) {
    bench.say(`${load.name}: what a run needs`);
    const unloaded = await offer(place, load, SLOWLY, undefined);
    for (const level of levels) carried.push(await carriedBy(bench, place, level, load, unloaded));
  }
  const [background = [], streamed = []] = loads.map((each) => carried.filter(({ load }) => load === each));
  return {
    tables: [carriesTable(background, streamed), beyondTable(carried), pricesTable(background)],
    goals: [
      {
        text: "runs that failed because the account was at its limit",
        measured: carried.reduce((sum, { failed }) => sum + failed, 0),
        unit: "runs",
        bound: 0,
        kind: "at most",
      },
    ],
    figures: [],
    notes: notesFor(background, streamed),
  };
}

async function loadsOf(bench: Bench, subject: Subject): Promise<Load[]> {
  const seconds = bench.quick ? 1 : 10;
  // As many pieces as this program can read from hundreds of streams; what is stored does not depend on their number.
  const pieces = Array.from({ length: seconds * 5 }, (_, index) => ` ${String(index).padStart(3, "0")}`.repeat(10));
  const slow = await subject.modelThat("slow", { text: pieces, tokenMs: 200 });
  return [
    {
      name: "background",
      assistant: await subject.assistant("instant"),
      duration: 1,
      window: bench.quick ? 1 : 8,
      shares: bench.quick ? [0.5, 4] : [0.7, 0.85, 1, 1.3],
    },
    {
      name: "streamed",
      assistant: await subject.assistant(slow),
      duration: seconds,
      window: bench.quick ? 1 : 15,
      shares: bench.quick ? [0.5, 4] : [0.8, 0.95, 1.3],
    },
  ];
}

/** Offers more and more, until Cosmos DB answers 429 or this machine can do no more. */
async function carriedBy(
  bench: Bench,
  place: TracedPlace,
  level: Level,
  load: Load,
  unloaded: Offered,
): Promise<Carried> {
  const { unitsPerRun } = unloaded;
  const limit = level.perSecond / unitsPerRun;
  const tooMuch = load.shares.at(-1) ?? 1;
  const carried: Carried = { level, load, limit, unitsPerRun, without: undefined, beyond: undefined, failed: 0 };
  for (const share of load.shares) {
    bench.say(`${level.name}: ${load.name}, ${(limit * share).toFixed(1)} runs/s`);
    const offered = await offer(place, load, limit * share, level);
    carried.failed += offered.failures.length;
    for (const failure of new Set(offered.failures)) bench.say(`a run did not complete: ${failure}`);
    if (share === tooMuch) return { ...carried, beyond: offered };
    if (offered.throttled > 0) continue;
    carried.without = offered;
    if (isMachinesLimit(offered, unloaded)) return carried;
  }
  return carried;
}

const isMachinesLimit = (offered: Offered, unloaded: Offered) =>
  isBehind(offered) && offered.p50 > unloaded.p50 + LATER;
