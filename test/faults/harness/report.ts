/** A campaign in one line, and what is wrong in one line each. */
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
