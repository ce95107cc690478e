/** How the costs of runs are told. */
import type { Cell, Table } from "../lib/measurement.ts";
import type { Cost } from "./account.ts";
import { looksAMonth } from "./idle.ts";
import { type Kinds, MODEL_SECONDS } from "./kinds.ts";
import {
  billFor,
  CREDITS_A_SECOND,
  CREDITS_PER_MESSAGE,
  INCLUDED,
  INSTANCE_GIGABYTES,
  OPERATIONS_PER_MESSAGE,
  PRICES,
  PRICES_OF,
  REGION,
  sumOf,
  type Usage,
} from "./prices.ts";
import { describe } from "./trace.ts";
import type { Waiting } from "./waiting.ts";

type Costs = Record<keyof Kinds, Cost>;

/** How many runs an instance is assumed to serve at a time, for the bill. */
const SHARING = 16;

const NAMES = ["simple", "withTool", "streamed", "long", "followed", "bare", "constant"] as const;

export function needsTable(strong: Costs, session: Costs): Table {
  const rows = NAMES.map((name): Cell[] => {
    const { kind, cosmos, expiryUnits, messages, bytes, eventBytes } = strong[name];
    const units = [cosmos.units, session[name].cosmos.units, expiryUnits];
    return [kind.name, cosmos.requests, cosmos.roundTrips, ...units, messages, bytes, eventBytes];
  });
  const columns = [
    "per run, polls excluded",
    "Cosmos DB requests",
    "one after the other",
    "RU, Strong account",
    "RU, Session account",
    "RU when its events expire",
    "Service Bus messages",
    "bytes stored",
    "of which events, for a day",
  ];
  return { title: "What a run needs", columns, rows };
}

export function dollarsTable(strong: Costs, session: Costs): Table {
  const rows = NAMES.map((name): Cell[] => {
    const usage = usageOf(strong[name]);
    const [alone, shared, cheaper] = [
      billFor(usage, 1),
      billFor(usage, SHARING),
      billFor(usageOf(session[name]), SHARING),
    ];
    const { serviceBus, executions, instance } = shared;
    const parts = [shared.cosmos, cheaper.cosmos, serviceBus, executions, instance];
    return [strong[name].kind.name, ...parts, sumOf(shared), sumOf(cheaper), sumOf(alone)];
  });
  const columns = [
    "$ per million runs",
    "Cosmos DB, Strong",
    "Cosmos DB, Session",
    "Service Bus",
    "executions",
    `instance, ${SHARING} runs sharing it`,
    "in all, Strong",
    "in all, Session",
    "Strong, one run at a time",
  ];
  return { title: "Dollars by list price, serverless", columns, rows };
}

const usageOf = ({ kind, cosmos, expiryUnits, messages }: Cost): Usage => ({
  units: cosmos.units + expiryUnits,
  messages,
  executions: kind.executions,
});

export function waitingTable(strong: Waiting, session: Waiting): Table {
  const row = (name: string, what: keyof Waiting): Cell[] => {
    const dollars = strong[what] * PRICES.perMillionUnits;
    return [name, strong[what], session[what], dollars];
  };
  return {
    title: "What waiting costs in Cosmos DB",
    columns: ["each", "RU, Strong account", "RU, Session account", "$ per million, Strong"],
    rows: [
      row("poll of a run that is under way", "poll"),
      row("poll of a run that has ended", "lastPoll"),
      row("look of a driver at its run, at most one a second", "look"),
      row("tick of the sweep that finds nothing, every 15 s", "tick"),
    ],
  };
}

export function creditsTable(costs: Costs): Table {
  const rows = NAMES.slice(0, 3).map((name): Cell[] => {
    const { kind, messages } = costs[name];
    const rate = (credits: number) => CREDITS_A_SECOND / (messages * credits);
    return [kind.name, messages, rate(CREDITS_PER_MESSAGE.atLeast), rate(CREDITS_PER_MESSAGE.atMost)];
  });
  return {
    title: `Runs a second within ${CREDITS_A_SECOND.toLocaleString("en-US")} credits of Service Bus Standard, by arithmetic`,
    columns: [
      "run",
      "messages",
      `${CREDITS_PER_MESSAGE.atLeast} credits a message`,
      `${CREDITS_PER_MESSAGE.atMost} credits a message`,
    ],
    rows,
  };
}

export function listing({ kind, requests }: Cost): Table {
  const began = requests[0]?.from ?? 0;
  const rows = requests.map((request): Cell[] => [
    describe(request),
    request.status,
    request.units,
    Math.round((request.from - began) * 10) / 10,
    request.to - request.from,
  ]);
  const columns = ["request", "status", "RU", "begins after ms", "takes ms"];
  return { title: `The Cosmos DB requests of a ${kind.name}, Strong account`, columns, rows };
}

export const notesFor = (): string[] => [
  `List prices, ${REGION}, as of ${PRICES_OF}, found the same in several public texts, but not read on Azure's own page: check before use. Cosmos DB serverless $${PRICES.perMillionUnits} per million RU and $${PRICES.perGigabyteMonth} per GB and month (provisioned throughput: [below](#what-an-account-carries)). Service Bus Standard $${PRICES.perMillionOperations} per million operations, ${OPERATIONS_PER_MESSAGE} a message, beyond the ${INCLUDED.operations / 1e6} million that the $${PRICES.serviceBusBaseMonth} a month hold. Functions Flex Consumption $${PRICES.perMillionExecutions} per million executions and $${PRICES.perGigabyteSecond} per GB-s of a ${INSTANCE_GIGABYTES} GB instance, which is charged while a run waits for its model (here ${MODEL_SECONDS} s a call, or as long as the row says): so what it costs is decided by how many runs share it. An instance that serves one run at a time is charged at least a second for each execution. A session of the code interpreter, which a thread uses for up to an hour, costs $${PRICES.perSessionHour} beside that. Left out are free grants (but where a row says so), logs, the storage account of Functions, what documents keep taking up, and the model.`,
  "A Strong account charges reads twice unless they ask for less. The reads of the HTTP face and the queries of the sweep do not; what the engine reads of its threads does.",
  "A serverless account charges the end of each event log, a day later, as deletes: the dollars hold them. A provisioned account does them with what is left over.",
  "The model of the simple run, of the run with a tool call and of the second runs answers at once. One that takes its time makes a run dearer, since its driver looks at it or saves the answer about once a second: the rows of 10 s show that.",
  `Each poll, and each look of an app at a run whose events a client follows, comes on top. How often the platform looks at the queues to scale the workers is not published; one look a second at each of the four would be ${looksAMonth().toFixed(1)} of the ${INCLUDED.operations / 1e6} million operations.`,
  "The local server computes request units by the published rules; Azure's own figures may differ by some percent. What Azure charges for a read that finds nothing new (304) is not published: the least is assumed, as for a document of 1 KB. `npm run first-hour` compares on a real account.",
  "The last request of a streamed run is that of the wake-up which comes when its lease ends.",
];
