/** All model calls of a campaign, and what explains those that were made again. */
import type { ModelCall } from "../../../local/model/script-book.ts";
import { type Circumstances, type Explained, explain } from "./explain.ts";
import { MARK } from "./model-scripts.ts";

/** The calls of all runs together. Each run has a model name of its own; `ids` knows the run by it. */
export function countCalls(all: ModelCall[], ids: Map<string, string>, circumstances: Circumstances): Explained {
  const byRun = Map.groupBy(
    all.filter(({ model }) => model.includes(MARK)),
    ({ model }) => model,
  );
  const total: Explained = { calls: 0, needed: 0, explained: {}, unexplained: 0, complaints: [] };
  for (const [model, calls] of byRun) {
    const { calls: count, needed, explained, unexplained, complaints } = explain(calls, circumstances);
    total.calls += count;
    total.needed += needed;
    total.unexplained += unexplained;
    total.complaints.push(...complaints.map((complaint) => `${ids.get(model) ?? "a run that is gone"}: ${complaint}`));
    for (const [reason, number] of Object.entries(explained)) {
      const name = reason as keyof typeof explained;
      total.explained[name] = (total.explained[name] ?? 0) + number;
    }
  }
  return total;
}
