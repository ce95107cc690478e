/** Draws a figure as SVG: lines over two axes, readable on a light and on a dark page. */
import type { Figure } from "../lib/measurement.ts";
import { cellText } from "../lib/text.ts";

const WIDTH = 720;
const HEIGHT = 400;
const MARGIN = { top: 56, right: 24, bottom: 56, left: 64 };
const COLORS = ["#888888", "#0969da", "#bf5700"];

type Place = (value: number) => number;

export function svg(figure: Figure): string {
  const points = figure.lines.flatMap((line) => line.points);
  const xs = points.map(([x]) => x);
  const tops = points.map(([, y]) => y);
  const xTicks = figure.x.scale === "log" ? powersOfTen(xs) : niceTicks(Math.min(...xs), Math.max(...xs));
  const yTicks = niceTicks(0, Math.max(...tops));
  const x = scale(figure.x.scale, xTicks, [MARGIN.left, WIDTH - MARGIN.right]);
  const y = scale("linear", yTicks, [HEIGHT - MARGIN.bottom, MARGIN.top]);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" fill="#777">`,
    `<title>${escaped(figure.title)}</title>`,
    text(MARGIN.left, 20, figure.title, 'font-size="15" font-weight="bold"'),
    ...yTicks.map((tick) => horizontal(y(tick), cellText(tick))),
    ...xTicks.map((tick) => vertical(x(tick), cellText(tick))),
    text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 12, figure.x.label, 'text-anchor="middle"'),
    text(-(HEIGHT / 2), 16, figure.y.label, 'text-anchor="middle" transform="rotate(-90)"'),
    ...figure.lines.flatMap(({ name, points }, index) => [
      polyline(points, x, y, COLORS[index] ?? ""),
      text(MARGIN.left + index * 220, 42, `— ${name}`, `fill="${COLORS[index]}"`),
    ]),
    "</svg>",
  ].join("\n")}\n`;
}

function scale(kind: "linear" | "log", ticks: number[], [from, to]: [number, number]): Place {
  const of = kind === "log" ? Math.log10 : (value: number) => value;
  const [low, high] = [of(ticks[0] ?? 0), of(ticks.at(-1) ?? 1)];
  return (value) => from + ((of(value) - low) / (high - low || 1)) * (to - from);
}

/** Round numbers around these bounds, about six of them. */
function niceTicks(low: number, high: number): number[] {
  const rough = (high - low || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

function powersOfTen(values: number[]): number[] {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.ceil(Math.log10(Math.max(...values)));
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

const text = (x: number, y: number, content: string, more: string) =>
  `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;

const escaped = (content: string) => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const line = (x1: number, y1: number, x2: number, y2: number) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#777" stroke-opacity="0.25"/>`;

const horizontal = (y: number, label: string) =>
  line(MARGIN.left, y, WIDTH - MARGIN.right, y) + text(MARGIN.left - 8, y + 4, label, 'text-anchor="end"');

const vertical = (x: number, label: string) =>
  line(x, MARGIN.top, x, HEIGHT - MARGIN.bottom) + text(x, HEIGHT - MARGIN.bottom + 18, label, 'text-anchor="middle"');

function polyline(points: [number, number][], x: Place, y: Place, color: string): string {
  const places = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
  return `<polyline points="${places}" fill="none" stroke="${color}" stroke-width="2"/>`;
}
