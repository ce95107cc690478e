import type { Goal } from "../lib/measurement.ts";
import type { Cost } from "./account.ts";
import type { Kinds } from "./kinds.ts";

/** The goals for runs on a Strong account, the dearer one. */
export function goalsFor({ simple, streamed, bare, constant }: Record<keyof Kinds, Cost>): Goal[] {
  const goal = (text: string, measured: number, unit: string, bound: number): Goal => ({
    text,
    measured,
    unit,
    bound,
    kind: "at most",
  });
  const seconds = streamed.kind.executions[0] ?? 0;
  return [
    goal("simple background run: Cosmos DB", simple.cosmos.requests, "requests", 5),
    goal("simple background run: Cosmos DB", simple.cosmos.units + simple.expiryUnits, "RU", 65),
    goal("simple background run: Service Bus", simple.messages, "messages", 2),
    goal(`${streamed.kind.name}: Cosmos DB, while it runs`, streamed.cosmos.units, "RU", 200),
    goal(
      "32 KB of instructions and tools, from a thread's second run on",
      constant.cosmos.units / bare.cosmos.units,
      "times the RU without",
      1.15,
    ),
    goal("streamed run: 3 round trips and one a second", streamed.cosmos.roundTrips, "round trips", 3 + seconds),
  ];
}
