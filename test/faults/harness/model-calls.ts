/** All model calls of a campaign, and what explains those that were made again. */
import type { ModelCall } from "../../../local/model/script-book.ts";
import { type Circumstances, type Explained, explain } from "./explain.ts";
import { MARK } from "./model-scripts.ts";

/** The calls of all runs together. Each run has a model name of its own. */
export function countCalls(all: ModelCall[], circumstances: Circumstances): Explained {
  const byRun = Map.groupBy(
    all.filter(({ model }) => model.includes(MARK)),
    ({ model }) => model,
  );
  const total: Explained = { calls: 0, needed: 0, explained: {}, unexplained: 0, complaints: [] };
  for (const calls of byRun.values()) {
    const { calls: count, needed, explained, unexplained, complaints } = explain(calls, circumstances);
    total.calls += count;
    total.needed += needed;
    total.unexplained += unexplained;
    total.complaints.push(...complaints);
    for (const [reason, number] of Object.entries(explained)) {
      const name = reason as keyof typeof explained;
      total.explained[name] = (total.explained[name] ?? 0) + number;
    }
  }
  return total;
}
