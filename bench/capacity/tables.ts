/** How it is told what an account carries. */
import { MONTH_SECONDS, PRICES_OF, REGION } from "../cost/prices.ts";
import type { Cell, Table } from "../lib/measurement.ts";
import type { Level } from "./levels.ts";
import type { Load, Offered } from "./offer.ts";

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
}

const TITLES = { background: "Background runs", streamed: "Streamed runs" };

export function carriedTable(name: Load["name"], all: Carried[]): Table {
  const rows = all.filter(({ load }) => load.name === name).map(rowOf);
  const open = name === "streamed" ? ["streams open without a 429"] : [];
  const columns = [
    "account",
    "RU/s",
    "RU a run",
    "runs/s by arithmetic",
    "runs/s without a 429",
    ...open,
    "runs/s offered beyond",
    "429s of Cosmos DB",
    "runs delayed by them, %",
    "429s to clients",
    "failed",
    "p50 s",
    "p99 s",
  ];
  return { title: TITLES[name], columns, rows };
}

function rowOf({ level, load, limit, unitsPerRun, without, beyond }: Carried): Cell[] {
  const most = without?.completedPerSecond ?? 0;
  const carried = beyond === undefined ? `${most.toFixed(1)} (this machine)` : most;
  const open = Math.round(most * load.duration);
  const more: Cell[] =
    beyond === undefined
      ? ["", "", "", "", "", "", ""]
      : [
          beyond.perSecond,
          beyond.throttled,
          Math.round(beyond.delayed * 100),
          beyond.refused,
          beyond.failed,
          beyond.p50 / 1000,
          beyond.p99 / 1000,
        ];
  return [
    level.name,
    level.perSecond,
    unitsPerRun,
    limit,
    carried,
    ...(load.name === "streamed" ? [open] : []),
    ...more,
  ];
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

export const notesFor = (loads: Load[]): string[] => [
  `Strong accounts. Runs begin at an even pace for ${loads.map(({ name, window }) => `${window} s (${name})`).join(" and ")}, each on a thread that is there already; background runs have a model that answers at once and a client that polls every half second, streams last ${loads.at(-1)?.duration} s. "By arithmetic" is the throughput divided by what a run needs. Offered were shares of that (${loads.map(({ name, shares }) => `${name}: ${shares.join(", ")}`).join("; ")}); the table shows the largest without a 429, and the last one.`,
  "A run is delayed that met a 429: the app waits as the store says and tries again, for 4 s; then the client gets 429 with `retry-after`, and this one asks again as often as it takes. OpenAI's libraries do so twice.",
  "The limit is that of one physical partition, and the throughput of a container is shared out evenly between its physical partitions: with several of them, a crowd of runs whose threads are in the same one gets less.",
  "The local server counts evenly, second by second; Azure's autoscale and serverless do it their own way, and serverless promises neither throughput nor latency.",
  `List prices, ${REGION}, as of ${PRICES_OF}. Autoscale is charged for the highest throughput of each hour, at least a tenth of its maximum; \`catalog\` is priced with the least throughput that there is. Not in the prices: what expires later, which only serverless charges.`,
];
