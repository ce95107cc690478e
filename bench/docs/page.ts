/**
 * Puts the results of the benchmarks into docs/performance.md, so that no figure is typed by hand, and draws its plots.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { paceNote } from "../lib/pace.ts";
import type { Result, Results } from "../lib/results.ts";
import { goalTable, markdownTable } from "../lib/text.ts";
import { svg } from "./svg.ts";

const DOCS = path.resolve(import.meta.dirname, "..", "..", "docs");
const PAGE = path.join(DOCS, "performance.md");

const PART = /<!-- result: ([\w-]+) -->\n[\s\S]*?<!-- end -->/g;

export function writeDocs(results: Results): void {
  const page = readFileSync(PAGE, "utf8");
  writeFileSync(PAGE, filledIn(page, results));
  for (const { figures } of Object.values(results)) {
    for (const figure of figures) writeFileSync(path.join(DOCS, figure.file), svg(figure));
  }
}

/** The page with each generated part replaced by its result; a part without a result stays as it is. */
export function filledIn(page: string, results: Results): string {
  return page.replace(PART, (part, name: string) => {
    const result = results[name];
    return result === undefined ? part : `<!-- result: ${name} -->\n${partFor(result)}\n<!-- end -->`;
  });
}

function partFor({ tables, goals, figures, notes, measuredAt, machine, pace, quick }: Result): string {
  const warning = quick ? " **Measured with --quick: not for quoting.**" : "";
  const parts = [
    ...tables.map(markdownTable),
    ...(goals.length > 0 ? [markdownTable(goalTable(goals))] : []),
    ...figures.map(({ title, file }) => `![${title}](${file})`),
    ...notes,
    `<sub>${measuredAt.slice(0, 10)}, ${machine}. ${paceNote(pace)}${warning}</sub>`,
  ];
  return parts.join("\n\n");
}
