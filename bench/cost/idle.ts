/** What a deployment costs in a month in which nothing happens. */
import type { Cell, Table } from "../lib/measurement.ts";
import { chargedSeconds, INCLUDED, INSTANCE_GIGABYTES, LEAST_GIGABYTES, MONTH_SECONDS, PRICES } from "./prices.ts";

/** A timer: how often it ticks, and how many queries over all partitions it makes each time. */
interface Sweep {
  name: string;
  every: number;
  queries: number;
}

/** functions/sweep.ts: runs, purges, and vector stores. */
export const SWEEP: Sweep = { name: "sweep", every: 15, queries: 3 };

/** functions/file-sweep.ts, where there is Blob Storage. The one for orphans, once a day, does not show. */
const FILE_SWEEP: Sweep = { name: "file sweep", every: 60, queries: 1 };

const SWEEPS = [SWEEP, FILE_SWEEP];
const ticksOf = ({ every }: Sweep) => MONTH_SECONDS / every;
const gigabyteSecondsOf = (sweep: Sweep) => ticksOf(sweep) * chargedSeconds(0) * INSTANCE_GIGABYTES;

/** `threads`, `catalog` and `stores` */
const CONTAINERS = 3;

/** `runs`, `runs-overflow`, `ingest`, and the dead letters of each */
const QUEUES = 6;

/** `tickUnits`: request units of one tick of the sweep. */
export function idleTable(tickUnits: number): Table {
  const gigabytes = CONTAINERS * LEAST_GIGABYTES;
  const operations = `${INCLUDED.operations / 1e6} million operations`;
  const rows: Cell[][] = [
    ["Service Bus Standard, base charge", operations, PRICES.serviceBusBaseMonth],
    ...SWEEPS.flatMap((sweep) => sweepRows(sweep, (tickUnits / SWEEP.queries) * sweep.queries)),
    ["Cosmos DB, the least storage of three containers", `${gigabytes} GB`, gigabytes * PRICES.perGigabyteMonth],
  ];
  const sum = rows.reduce((total, [, , dollars]) => total + Number(dollars), 0);
  const ready = MONTH_SECONDS * INSTANCE_GIGABYTES;
  return {
    title: "A month in which nothing happens",
    columns: ["what", "how much", "$ a month"],
    rows: [
      ...rows,
      ["in all", "", sum],
      ["the same, if nothing else uses the free grant of Functions", "", sum - granted()],
      ["beside that, each instance that is kept ready", `${whole(ready)} GB-s`, ready * PRICES.perReadyGigabyteSecond],
    ],
  };
}

/** `tickUnits`: request units of one tick. */
function sweepRows(sweep: Sweep, tickUnits: number): Cell[][] {
  const [ticks, gigabyteSeconds] = [ticksOf(sweep), gigabyteSecondsOf(sweep)];
  const millionUnits = (ticks * tickUnits) / 1e6;
  const { name, every } = sweep;
  return [
    [`${name}, every ${every} s: executions`, ticks, (ticks / 1e6) * PRICES.perMillionExecutions],
    [
      `${name}: its instance, a second each time`,
      `${whole(gigabyteSeconds)} GB-s`,
      gigabyteSeconds * PRICES.perGigabyteSecond,
    ],
    [`${name}: Cosmos DB, serverless`, `${millionUnits.toFixed(2)} million RU`, millionUnits * PRICES.perMillionUnits],
  ];
}

const sumOf = (of: (sweep: Sweep) => number) => SWEEPS.reduce((sum, sweep) => sum + of(sweep), 0);

/** What the free grant takes off the sweeps' bill. */
const granted = (): number =>
  Math.min(sumOf(gigabyteSecondsOf), INCLUDED.gigabyteSeconds) * PRICES.perGigabyteSecond +
  (Math.min(sumOf(ticksOf), INCLUDED.executions) / 1e6) * PRICES.perMillionExecutions;

const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/**
 * How often the platform asks for the lengths of the queues is not published: this is what one look a second at each
 * would come to, in millions.
 */
export const looksAMonth = (): number => (QUEUES * MONTH_SECONDS) / 1e6;
