/** Does the checks one after the other and tells of each what was expected and what came. */
import type { Check, Outcome } from "./check.ts";
import type { Place } from "./place.ts";

export interface Row {
  number: number;
  title: string;
  why: string;
  expected: string;
  onlyOnAzure: string | undefined;
  got: string;
  ok: "ok" | "NOT OK" | "not done";
  /** milliseconds */
  took: number;
}

/** A check that takes longer has failed. Milliseconds. */
const LONGEST_CHECK = 300_000;

/** How long a check may take to notice that the operator has stopped it: what it creates meanwhile is deleted, too. */
const LONGEST_STOP = 10_000;

const STOPPED: Outcome = { got: "stopped" };

export interface RunOptions {
  write: boolean;
  only?: number[] | undefined;
  /** called after each check */
  report?: (row: Row) => void;
}

/** Those that the options name, in their order. A check that throws has failed, with the error as what it got. */
export async function runChecks(checks: Check[], place: Place, options: RunOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const check of checks) {
    if (options.only !== undefined && !options.only.includes(check.number)) continue;
    const started = performance.now();
    const { got, ok } = await outcomeOf(check, place, options.write);
    const { number, title, why, expected, onlyOnAzure } = check;
    const verdict = ok === undefined ? "not done" : ok ? "ok" : "NOT OK";
    const row: Row = { number, title, why, expected, onlyOnAzure, got, ok: verdict, took: performance.now() - started };
    rows.push(row);
    options.report?.(row);
  }
  return rows;
}

async function outcomeOf(check: Check, place: Place, write: boolean): Promise<Outcome> {
  if (place.stopping.signal.aborted) return STOPPED;
  if (check.writes && !write) return { got: "needs --write" };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome>((resolve) => {
    const tooLong = { got: `not done after ${LONGEST_CHECK / 1000} s`, ok: false };
    timer = setTimeout(() => resolve(tooLong), LONGEST_CHECK);
    const stop = () => void setTimeout(() => resolve(STOPPED), LONGEST_STOP).unref();
    place.stopping.signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([check.run(place), late]);
  } catch (error) {
    return place.stopping.signal.aborted ? STOPPED : { got: describe(error), ok: false };
  } finally {
    clearTimeout(timer);
  }
}

/** One line, and no keys: errors of the SDKs quote addresses, but never what authorizes a request. */
export function describe(error: unknown): string {
  const { code, message } = error instanceof Error ? { code: undefined, ...error, message: error.message } : {};
  const text = `${typeof code === "number" || typeof code === "string" ? `${code} ` : ""}${message ?? String(error)}`;
  return text
    .replaceAll(/(key|signature|sig|password)=[^;&\s]+/gi, "$1=…")
    .replaceAll(/\s+/g, " ")
    .slice(0, 200);
}

/** What a shell hears: 0 all as expected, 1 something is not, 2 stopped. */
export function exitCodeOf(rows: Row[]): number {
  if (rows.some(({ ok }) => ok === "NOT OK")) return 1;
  return rows.length === 0 || rows.some(({ got }) => got === "stopped") ? 2 : 0;
}
