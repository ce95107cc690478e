/** A campaign in one line, several in one table, and what is wrong by its kind. */
import type { CampaignReport } from "./campaign.ts";

export function summary(report: CampaignReport): string {
  const { seed, acknowledged, endings, faults, stormy, quietAfter, seconds, problems, modelCalls, flood } = report;
  const { calls, needed, explained, unexplained } = modelCalls;
  const quiet = quietAfter === undefined ? "never quiet" : `quiet after ${(quietAfter / 1000).toFixed(1)} s`;
  return [
    `seed ${seed}: ${acknowledged} runs acknowledged in ${seconds} s`,
    `ended: ${listed(endings)}`,
    `faults for ${stormy} s: ${listed(faults)}`,
    quiet,
    `model calls: ${calls} (${needed} needed, again: ${listed(explained)}; ${unexplained} unexplained)`,
    `flood: ${flood.refused} of ${flood.flooding} refused, beside ${flood.quiet} of a quiet tenant`,
    problems.length === 0 ? "nothing lost, nothing stuck" : `${problems.length} PROBLEMS`,
  ].join("; ");
}

const listed = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

/** What a problem is, by what its line says. The first that fits counts. */
const KINDS = {
  lost: / is lost/,
  stuck: /^stuck| is still |in vain/,
  doubled: / made \d+ runs| has \d+ answers|told twice/,
  "not as heard": /heard|does not say what/,
  unexplained: / without a reason/,
  "not deleted": / is deleted, and /,
  "quiet tenant": /quiet tenant/,
};

type Row = Record<string, string | number>;

function rowOf({ seed, acknowledged, faults, modelCalls, flood, quietAfter, seconds, problems }: CampaignReport): Row {
  const kinds = Object.entries(KINDS);
  const kindOf = (problem: string) => kinds.find(([, pattern]) => pattern.test(problem))?.[0] ?? "other";
  const counts = Map.groupBy(problems, kindOf);
  const blows = ["kill", "freeze", "stop", "blackout", "killStore", "killQueue"];
  return {
    seed,
    runs: acknowledged,
    blows: blows.reduce((sum, name) => sum + (faults[name] ?? 0), 0),
    "model calls": modelCalls.calls,
    needed: modelCalls.needed,
    explained: Object.values(modelCalls.explained).reduce((sum, count) => sum + count, 0),
    unexplained: modelCalls.unexplained,
    ...Object.fromEntries(
      [...Object.keys(KINDS), "other"]
        .filter((kind) => kind !== "unexplained")
        .map((kind) => [kind, counts.get(kind)?.length ?? 0]),
    ),
    "flood refused": `${flood.refused}/${flood.flooding}`,
    "quiet after": quietAfter === undefined ? "never" : `${Math.round(quietAfter / 1000)} s`,
    took: `${seconds} s`,
  };
}

/** One row a seed. */
export function table(reports: CampaignReport[]): string {
  const rows = reports.map(rowOf);
  const names = Object.keys(rows[0] ?? {});
  const lines = [names, ...rows.map((row) => names.map((name) => String(row[name])))];
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ")).join("\n");
}
