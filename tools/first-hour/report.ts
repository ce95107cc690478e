/** What the operator sees. */
import type { Row } from "./run-checks.ts";

export interface Summary {
  rows: Row[];
  /** request units of the checks' own requests */
  units: number;
  /** runs that were created, each of which asks the model once */
  runs: number;
  seconds: number;
  /** what could not be deleted */
  left: string[];
}

const NUMBER = 2;
const VERDICT = 8;

/** A row with its lines: the verdict first, so that one look down the left side is enough. */
export function rowText({ number, title, expected, onlyOnAzure, got, ok, why, took }: Row): string {
  const head = `${String(number).padStart(NUMBER)}  ${ok.padEnd(VERDICT)}  ${title} (${(took / 1000).toFixed(1)} s)`;
  const indent = " ".repeat(NUMBER + VERDICT + 4);
  const lines = [head, `${indent}expected  ${expected}`, `${indent}got       ${got}`];
  if (onlyOnAzure !== undefined) lines.push(`${indent}on Azure  ${onlyOnAzure}`);
  if (ok === "NOT OK") lines.push(`${indent}why       ${why}`);
  return lines.join("\n");
}

export function summaryText({ rows, units, runs, seconds, left }: Summary): string {
  const count = (verdict: Row["ok"]) => rows.filter(({ ok }) => ok === verdict).length;
  const verdicts = `${count("ok")} ok, ${count("NOT OK")} not ok, ${count("not done")} not done`;
  const cost = `${seconds.toFixed(0)} s, ${units.toFixed(0)} RU of its own requests, ${runs} runs`;
  const lines = [`${rows.length} checks: ${verdicts}. ${cost}.`];
  if (left.length > 0) lines.push("Could not be deleted:", ...left.map((text) => `  ${text}`));
  else lines.push("Everything that was created is deleted.");
  return lines.join("\n");
}
