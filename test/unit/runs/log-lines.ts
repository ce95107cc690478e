import type { Details, Log } from "../../../src/log.ts";

export interface LogLine extends Details {
  message: string;
}

/** A log whose lines a test can look at. */
export function collectedLog(lines: LogLine[] = [], common: Details = {}): { log: Log; lines: LogLine[] } {
  const write = (message: string, details?: Details) => void lines.push({ ...details, ...common, message });
  const log: Log = {
    info: write,
    warn: write,
    error: write,
    with: (details) => collectedLog(lines, { ...common, ...details }).log,
  };
  return { log, lines };
}
