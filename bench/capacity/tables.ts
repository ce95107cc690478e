/** How it is told what an account carries. */
import { MONTH_SECONDS, PRICES_OF, REGION } from "../cost/prices.ts";
import type { Cell, Table } from "../lib/measurement.ts";
import { cellText } from "../lib/text.ts";
import type { Level } from "./levels.ts";
import { isBehind, type Load, type Offered } from "./offer.ts";

export interface Carried {
  level: Level;
  load: Load;
  /** runs a second by arithmetic */
  limit: number;
  unitsPerRun: number;
  /** the most that was offered without a 429 of Cosmos DB; absent if every offer met some */
  without: Offered | undefined;
  /** more than the limit; absent if this machine could not even do what the account carries */
  beyond: Offered | undefined;
  /** runs, in all offers */
  failed: number;
}

/** One row for each account; both lists have the accounts in the same order. */
export function carriesTable(background: Carried[], streamed: Carried[]): Table {
  const rows = background.map((one, index): Cell[] => {
    const other = streamed[index];
    const { level, limit } = one;
    return [level.name, level.perSecond, limit, measured(one, 1), ...(other ? streamCells(other) : ["", "", ""])];
  });
  const columns = [
    "account",
    "RU/s",
    "background runs/s by arithmetic",
    "without a 429",
    "streamed runs/s by arithmetic",
    "without a 429",
    "streams open then",
  ];
  return { title: "What an account carries", columns, rows };
}

const streamCells = (carried: Carried): Cell[] => [
  carried.limit,
  measured(carried, 1),
  measured(carried, carried.load.duration),
];

/** What was measured without a 429, in so many seconds. */
function measured({ without }: Carried, seconds: number): Cell {
  if (without === undefined) return 0;
  const count = without.completedPerSecond * seconds;
  return byWhom(seconds === 1 ? count : Math.round(count), without);
}

/** Names the machine where it, and not the account, was at its limit. */
const byWhom = (count: number, offered: Offered): Cell =>
  isBehind(offered) ? `${cellText(count)} (this machine)` : count;

export function beyondTable(all: Carried[]): Table {
  const rows = all.map(({ level, load, beyond, failed }): Cell[] => {
    const name = `${level.name}: ${load.name}`;
    if (beyond === undefined) return [name, "", "", "", "", "", failed, "", ""];
    const { perSecond, completedPerSecond, throttled, delayed, refused, p50, p99 } = beyond;
    const counts = [throttled, Math.round(delayed * 100), refused, failed];
    return [name, perSecond, byWhom(completedPerSecond, beyond), ...counts, p50 / 1000, p99 / 1000];
  });
  const columns = [
    "account",
    "runs/s offered",
    "runs/s completed",
    "429s of Cosmos DB",
    "runs that met one, %",
    "429s to clients",
    "runs failed",
    "p50 s",
    "p99 s",
  ];
  return { title: "Beyond its limit", columns, rows };
}

export function pricesTable(background: Carried[]): Table {
  const rows = background.map(({ level, limit }): Cell[] => {
    const runs = (limit * MONTH_SECONDS) / 1e6;
    return [level.name, level.month.idle, level.month.full, runs, level.month.full / runs];
  });
  const columns = [
    "account",
    "$ a month, idle",
    "$ a month, always at its limit",
    "million background runs a month at its limit",
    "$ per million runs then",
  ];
  return { title: "What an account costs, Cosmos DB only", columns, rows };
}

export function notesFor(background: Carried[], streamed: Carried[]): string[] {
  const of = ([carried]: Carried[]) =>
    carried === undefined
      ? ""
      : `${cellText(carried.unitsPerRun)} RU a run, begun for ${carried.load.window} s, offered ${carried.load.shares.join(", ")} times the limit by arithmetic`;
  return [
    `Strong accounts. Background: ${of(background)}; the model answers at once, the client polls every half second. Streamed: ${of(streamed)}; a stream lasts ${streamed[0]?.load.duration} s. Runs begin at an even pace, whether earlier ones have ended or not, on threads that are there already (to create one costs some RU more). By arithmetic: the throughput divided by what a run needs. Without a 429: the largest offer that met none; where the table names this machine, it could do no more. Beyond its limit: the last offer; failed runs are those of all offers.`,
    "When Cosmos DB answers 429, the app waits as long as it says and tries again, for 4 s; then the client gets 429 with `retry-after`. The client of this benchmark asks again as often as it takes; OpenAI's libraries do so twice and then report the error. What is created is finished in any case.",
    "The limit holds for a container with one physical partition. With more of them, each has its part of the throughput, and threads that happen to be in the same one share it. The local server counts evenly, second by second; how Azure smooths bursts is its own affair, and serverless promises neither throughput nor latency.",
    `List prices, ${REGION}, as of ${PRICES_OF}, of both containers together, storage and reserved capacity left out. Autoscale is charged by the hour for its highest throughput, at least a tenth of the maximum; \`catalog\` is priced with the least throughput that there is. Serverless pays by the run, [as above](#cost), and beside that for what expires.`,
  ];
}
