/** What a deployment costs in a month in which nothing happens. */
import type { Cell, Table } from "../lib/measurement.ts";
import { chargedSeconds, INCLUDED, INSTANCE_GIGABYTES, LEAST_GIGABYTES, MONTH_SECONDS, PRICES } from "./prices.ts";

/** functions/sweep.ts */
const SWEEP_SECONDS = 15;
const TICKS = MONTH_SECONDS / SWEEP_SECONDS;

/** `threads` and `catalog` */
const CONTAINERS = 2;

/** `runs`, `runs-overflow`, and the dead letters of each */
const QUEUES = 4;

/** `tickUnits`: request units of one tick of the sweep. */
export function idleTable(tickUnits: number): Table {
  const tickSeconds = TICKS * chargedSeconds(0) * INSTANCE_GIGABYTES;
  const millions = TICKS / 1e6;
  const compute = (seconds: number, executions: number) =>
    seconds * PRICES.perGigabyteSecond + executions * PRICES.perMillionExecutions;
  const afterGrant = compute(
    Math.max(0, tickSeconds - INCLUDED.gigabyteSeconds),
    Math.max(0, TICKS - INCLUDED.executions) / 1e6,
  );
  const units = (TICKS * tickUnits) / 1e6;
  const rows: Cell[][] = [
    [
      "Service Bus Standard, base charge",
      `${INCLUDED.operations / 1e6} million operations`,
      PRICES.serviceBusBaseMonth,
    ],
    [`sweep, every ${SWEEP_SECONDS} s: executions`, TICKS, millions * PRICES.perMillionExecutions],
    [
      "sweep: its instance, at least a second each time",
      `${whole(tickSeconds)} GB-s`,
      tickSeconds * PRICES.perGigabyteSecond,
    ],
    ["sweep: Cosmos DB, serverless", `${units.toFixed(2)} million RU`, units * PRICES.perMillionUnits],
    [
      "Cosmos DB, the least storage of two containers",
      `${CONTAINERS * LEAST_GIGABYTES} GB`,
      CONTAINERS * LEAST_GIGABYTES * PRICES.perGigabyteMonth,
    ],
  ];
  const sum = rows.reduce((total, [, , dollars]) => total + Number(dollars), 0);
  const free = compute(tickSeconds, millions) - afterGrant;
  const ready = MONTH_SECONDS * INSTANCE_GIGABYTES * PRICES.perReadyGigabyteSecond;
  return {
    title: "A month in which nothing happens",
    columns: ["what", "how much", "$ a month"],
    rows: [
      ...rows,
      ["in all", "", sum],
      ["the same, if the free grant of Functions is not used elsewhere", "", sum - free],
      ["beside that, for each instance that is kept ready", `${whole(MONTH_SECONDS * INSTANCE_GIGABYTES)} GB-s`, ready],
    ],
  };
}

const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/**
 * How often the platform asks for the lengths of the queues is not published; so this is what one look a second at each of
 * them would come to, in millions.
 */
export const looksAMonth = (): number => (QUEUES * MONTH_SECONDS) / 1e6;
