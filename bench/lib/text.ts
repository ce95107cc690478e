/** How measurements are shown to a reader, on the console and in Markdown. */
import { type Cell, type Goal, isMet, type Table } from "./measurement.ts";

/** Three digits say all that a measurement can; whole numbers stay whole. */
export function cellText(cell: Cell): string {
  if (typeof cell === "string") return cell;
  if (!Number.isFinite(cell)) return "–";
  if (Number.isInteger(cell) || Math.abs(cell) >= 100) return Math.round(cell).toLocaleString("en-US");
  return cell.toFixed(Math.abs(cell) >= 10 ? 1 : 2);
}

export function consoleTable({ title, columns, rows }: Table): string {
  const lines = [columns, ...rows.map((row) => row.map(cellText))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const aligned = lines.map((line) =>
    line.map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0))),
  );
  return [title, ...aligned.map((line) => `  ${line.join("  ")}`)].join("\n");
}

export function markdownTable({ title, columns, rows }: Table): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, column) => (column === 0 ? "---" : "--:"));
  return [`**${title}**`, "", line(columns), line(rule), ...rows.map((row) => line(row.map(cellText)))].join("\n");
}

export function goalTable(goals: Goal[]): Table {
  const rows = goals.map((goal) => {
    const wanted = `${goal.kind} ${cellText(goal.bound)} ${goal.unit}`.trim();
    return [goal.text, wanted, `${cellText(goal.measured)} ${goal.unit}`.trim(), isMet(goal) ? "yes" : "NO"];
  });
  return { title: "Goals", columns: ["goal", "wanted", "measured", "met"], rows };
}
