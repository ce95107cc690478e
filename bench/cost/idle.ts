/** What a deployment costs in a month in which nothing happens. */
import type { Cell, Table } from "../lib/measurement.ts";
import { chargedSeconds, INCLUDED, INSTANCE_GIGABYTES, LEAST_GIGABYTES, MONTH_SECONDS, PRICES } from "./prices.ts";

/** functions/sweep.ts */
const SWEEP_SECONDS = 15;
const TICKS = MONTH_SECONDS / SWEEP_SECONDS;
const TICK_GIGABYTE_SECONDS = TICKS * chargedSeconds(0) * INSTANCE_GIGABYTES;

/** `threads`, `catalog` and `stores` */
const CONTAINERS = 3;

/** `runs`, `runs-overflow`, and the dead letters of each */
const QUEUES = 4;

/** `tickUnits`: request units of one tick of the sweep. */
export function idleTable(tickUnits: number): Table {
  const gigabytes = CONTAINERS * LEAST_GIGABYTES;
  const operations = `${INCLUDED.operations / 1e6} million operations`;
  const rows: Cell[][] = [
    ["Service Bus Standard, base charge", operations, PRICES.serviceBusBaseMonth],
    ...sweepRows((TICKS * tickUnits) / 1e6),
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

const sweepRows = (millionUnits: number): Cell[][] => [
  [`sweep, every ${SWEEP_SECONDS} s: executions`, TICKS, (TICKS / 1e6) * PRICES.perMillionExecutions],
  [
    "sweep: its instance, a second each time",
    `${whole(TICK_GIGABYTE_SECONDS)} GB-s`,
    TICK_GIGABYTE_SECONDS * PRICES.perGigabyteSecond,
  ],
  ["sweep: Cosmos DB, serverless", `${millionUnits.toFixed(2)} million RU`, millionUnits * PRICES.perMillionUnits],
];

/** What the free grant takes off the sweep's bill. */
const granted = (): number =>
  Math.min(TICK_GIGABYTE_SECONDS, INCLUDED.gigabyteSeconds) * PRICES.perGigabyteSecond +
  (Math.min(TICKS, INCLUDED.executions) / 1e6) * PRICES.perMillionExecutions;

const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/**
 * How often the platform asks for the lengths of the queues is not published: this is what one look a second at each
 * would come to, in millions.
 */
export const looksAMonth = (): number => (QUEUES * MONTH_SECONDS) / 1e6;
